# SPDX-License-Identifier: MIT
"""From glosses to commands: the commands file, the rules, and the messages it describes."""
