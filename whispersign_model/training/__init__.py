# SPDX-License-Identifier: MIT
"""Training of networks on processed datasets."""
