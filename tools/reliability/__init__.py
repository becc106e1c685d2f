# SPDX-License-Identifier: MIT
"""Reliability checks: faults injected into the live graph, and soak tests."""
