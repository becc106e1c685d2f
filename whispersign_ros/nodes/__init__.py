# SPDX-License-Identifier: MIT
"""The nodes, one file each, named like their executables."""
