# SPDX-License-Identifier: MIT
"""Training and evaluation on processed datasets."""
