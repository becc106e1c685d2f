"""Run the whole live graph on recordings and show each gloss as it is recognised.

Starts replay, smoothing, preprocessing and recognition as separate processes on a ROS domain of
their own, listens to topic ``gloss`` and compares with the recordings' labels. Exit code 0: every
gloss sequence is right; 1: one is not; 2: something is missing.
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
    parser.add_argument(
        "--bag",
        type=Path,
        nargs="+",
        default=[DEMO_BAG],
        help="bags with labels, or folders of them; default: the bundled one",
    )
    parser.add_argument(
        "--json", type=Path, metavar="OUT.json", help="write what was recognised in each recording"
    )
    parser.add_argument(
        "--domain-id",
        type=int,
        metavar="ID",
        help="ROS domain; default: one that nobody on this machine uses",
    )
    parser.add_argument("--verbose", action="store_true", help="show what the nodes log")


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration and return its exit code."""
    from whispersign_ros.demonstration import DemoOptions, demonstrate

    return demonstrate(
        DemoOptions(
            arguments.model,
            tuple(arguments.bag),
            arguments.domain_id,
            arguments.verbose,
            arguments.json,
        )
    )
