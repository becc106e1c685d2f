# SPDX-License-Identifier: MIT
"""Training on processed datasets."""
