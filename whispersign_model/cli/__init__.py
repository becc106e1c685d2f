# SPDX-License-Identifier: MIT
"""The ``whispersign`` command: one module per verb, found through entry points."""
