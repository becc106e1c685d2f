# SPDX-License-Identifier: MIT
"""Map glosses to robot commands: the commands file, its rules and the messages it describes."""
