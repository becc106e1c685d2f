# SPDX-License-Identifier: MIT
"""Training data: turn clips into augmented batches."""
