# SPDX-License-Identifier: MIT
"""Simulated robots."""
