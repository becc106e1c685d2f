# SPDX-License-Identifier: MIT
"""Verbs of the command ``whispersign`` that need ROS 2."""
