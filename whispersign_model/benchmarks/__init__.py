# SPDX-License-Identifier: MIT
"""Benchmarks of the package on synthetic input: weights, time and memory."""
