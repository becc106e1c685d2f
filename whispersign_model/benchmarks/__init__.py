# SPDX-License-Identifier: MIT
"""Benchmarks of the package on made-up input: weights, time and memory."""
