# SPDX-License-Identifier: MIT
"""Cross-validation: train and test fold by fold on published recordings."""
