# SPDX-License-Identifier: MIT
"""Run a node's executable: ``python -m whispersign_ros.nodes NAME [ARGUMENT ...]``."""

import sys

from whispersign_ros.node import entry_points

if __name__ == "__main__":
    name = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if name not in entry_points.NODES:
        names = ", ".join(entry_points.NODES)
        print(f"whispersign_ros.nodes: error: '{name}' is not one of {names}", file=sys.stderr)
        raise SystemExit(2)
    raise SystemExit(getattr(entry_points, name)())
