# SPDX-License-Identifier: MIT
"""Sensors of hands: Leap Motion and cameras, and what turns their readings into skeletons."""
