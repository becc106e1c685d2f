# SPDX-License-Identifier: MIT
"""Decoding: from CTC log-probabilities to glosses with times and confidences (NumPy only)."""
