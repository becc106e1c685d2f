# SPDX-License-Identifier: MIT
"""Run an executable: ``python -m whispersign_ros.nodes NAME [ARGUMENT ...]``."""

import sys

from whispersign_ros.node import entry_points

if __name__ == "__main__":
    raise SystemExit(getattr(entry_points, sys.argv.pop(1))())
