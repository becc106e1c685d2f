# SPDX-License-Identifier: MIT
"""Recordings: hand frames at their own times with gloss segments, and the files they live in."""
