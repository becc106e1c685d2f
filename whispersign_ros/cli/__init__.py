# SPDX-License-Identifier: MIT
"""The verbs of the command ``whispersign`` that need ROS 2."""
