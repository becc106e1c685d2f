"""Run the whole live graph on a recording and show each gloss as it is recognised.

Starts replay, smoothing, preprocessing and recognition as separate processes on a ROS domain of
their own, listens to topic ``gloss`` and compares with the recording's labels. Exit code 0: the
gloss sequence is right; 1: it is not; 2: something is missing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from whispersign_ros.assets import DEMO_BAG, DEMO_MODEL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument(
        "--model", type=Path, default=DEMO_MODEL, metavar="CKPT", help="default: the bundled one"
    )
    parser.add_argument("--bag", type=Path, default=DEMO_BAG, help="default: the bundled one")
    parser.add_argument(
        "--domain-id",
        type=int,
        metavar="ID",
        help="ROS domain; default: one that nobody on this machine uses",
    )
    parser.add_argument("--verbose", action="store_true", help="show what the nodes log")


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration and return its exit code."""
    from whispersign_ros.demonstration import demonstrate

    return demonstrate(arguments.model, arguments.bag, arguments.domain_id, arguments.verbose)
