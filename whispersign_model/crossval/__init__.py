# SPDX-License-Identifier: MIT
"""Cross-validation: recognition measured fold by fold on published recordings."""
