# SPDX-License-Identifier: MIT
"""Bags: read and write recordings as rosbag2 files without ROS."""
