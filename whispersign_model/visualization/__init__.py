# SPDX-License-Identifier: MIT
"""Visualization: draw skeletons, play them back, and overlay them on video."""
