# SPDX-License-Identifier: MIT
"""Decoding: turn CTC log-probabilities into glosses with times and confidences (NumPy only)."""
