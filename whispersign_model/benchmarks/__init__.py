# SPDX-License-Identifier: MIT
"""Benchmarks on synthetic input: parameter counts, run time and memory."""
