# SPDX-License-Identifier: MIT
"""Bags: recordings as rosbag2 files, read and written without ROS."""
