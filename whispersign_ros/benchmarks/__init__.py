# SPDX-License-Identifier: MIT
"""What ``whispersign bench`` measures on the ROS graph."""
