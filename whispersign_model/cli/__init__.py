# SPDX-License-Identifier: MIT
"""The command ``whispersign``: one module per verb, found through entry points."""
