# SPDX-License-Identifier: MIT
"""Datasets: archives and processed datasets, their splits and reports."""
