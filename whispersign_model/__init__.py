# SPDX-License-Identifier: MIT
"""The part of WhisperSign that needs no ROS: recordings, features, network and training."""

import os

# ONNX Runtime reads this when it is imported. Its telemetry writes into the home folder, and where
# host names do not resolve it delays the end of every process by half a minute.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
