# SPDX-License-Identifier: MIT
"""Training data: clips to augmented batches."""
