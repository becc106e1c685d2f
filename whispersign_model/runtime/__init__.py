# SPDX-License-Identifier: MIT
"""Runtimes that evaluate a trained network behind one interface."""
