# SPDX-License-Identifier: MIT
"""Recording archives and processed datasets, with their splits and reports."""
