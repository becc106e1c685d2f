# SPDX-License-Identifier: MIT
"""Visualization: skeletons drawn, played back, and shown over their video."""
