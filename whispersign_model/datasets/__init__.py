# SPDX-License-Identifier: MIT
"""Recording archives and processed datasets, with splits and reports."""
