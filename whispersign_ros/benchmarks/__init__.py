# SPDX-License-Identifier: MIT
"""ROS graph measurements of ``whispersign bench``."""
