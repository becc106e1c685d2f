# SPDX-License-Identifier: MIT
"""Glosses to commands: the commands file, its rules, and the messages that it describes."""
