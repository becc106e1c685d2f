# SPDX-License-Identifier: MIT
"""The WhisperSign network and the checkpoint that carries it."""
