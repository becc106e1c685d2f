# SPDX-License-Identifier: MIT
"""WhisperSign without ROS: skeletons, recordings, features, network, training and decoding."""

__version__ = "0.1.0"
