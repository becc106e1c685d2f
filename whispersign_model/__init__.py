# SPDX-License-Identifier: MIT
"""The part of WhisperSign that needs no ROS: recordings, features, network and training."""

__version__ = "0.1.0"
