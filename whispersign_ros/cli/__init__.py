# SPDX-License-Identifier: MIT
"""Verbs of the ``whispersign`` command that require ROS 2."""
