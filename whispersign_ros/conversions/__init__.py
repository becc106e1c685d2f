# SPDX-License-Identifier: MIT
"""Conversions between ROS messages and the types of ``whispersign_model``."""
