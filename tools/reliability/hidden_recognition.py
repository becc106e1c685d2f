# SPDX-License-Identifier: MIT
"""``recognition_node`` behind the relay: its output has topics that only the relay knows."""

import sys

from reliability.relay import HIDDEN
from whispersign_ros.node.runner import main

TOPICS = ("gloss", "gloss_partial", "/diagnostics")

if __name__ == "__main__":
    for topic in TOPICS:
        sys.argv += ["-r", f"{topic}:={topic}{HIDDEN}"]
    raise SystemExit(main("recognition_node"))
