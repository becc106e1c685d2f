# SPDX-License-Identifier: MIT
"""Playback of recordings in real time."""
