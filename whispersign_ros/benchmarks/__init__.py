# SPDX-License-Identifier: MIT
"""Measurements of the ROS graph for ``whispersign bench``."""
