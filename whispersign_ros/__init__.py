# SPDX-License-Identifier: MIT
"""WhisperSign on ROS 2: thin nodes around the packages of ``whispersign_model``."""
