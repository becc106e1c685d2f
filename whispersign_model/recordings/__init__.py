# SPDX-License-Identifier: MIT
"""Recordings: hand frames with capture times and gloss segments, and their file formats."""
