# SPDX-License-Identifier: MIT
"""What the package costs: weights, time and memory, measured on made-up input."""
