# SPDX-License-Identifier: MIT
"""Runtimes that evaluate a trained network behind a common interface."""
