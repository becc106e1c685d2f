# SPDX-License-Identifier: MIT
"""The WhisperSign network and its checkpoint format."""
