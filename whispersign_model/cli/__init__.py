# SPDX-License-Identifier: MIT
"""The command ``whispersign``: one verb a module, found through the entry points."""
