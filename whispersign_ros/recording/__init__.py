# SPDX-License-Identifier: MIT
"""Guided recording sessions: prompts, takes and the terminal display."""
