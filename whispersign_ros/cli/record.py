# SPDX-License-Identifier: MIT
"""Record signs with prompts and a countdown, and write each take to an annotated bag.

Starts the sensor node, prompts for each sign, and writes each take with its label. Keys on a
terminal: r repeats the last take, d discards it, p pauses, n skips to the next take, q quits. Run
the same command again to resume an interrupted session. Exit codes: 0 if all takes are recorded,
1 if some are missing.
"""

import argparse
from pathlib import Path

from whispersign_model.cli.arguments import count, not_negative, positive, seed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument(
        "glosses",
        nargs="+",
        metavar="GLOSS",
        help="gloss to record, or several joined by commas; 'A|B' is the sentence A B",
    )
    parser.add_argument(
        "--source",
        required=True,
        choices=("leap", "camera", "synthetic", "none"),
        help="sensor, or synthetic for a synthetic signer; none uses a running sensor node",
    )
    parser.add_argument("--signer", default="", metavar="NAME", help="name of the signer")
    parser.add_argument(
        "--takes", type=count, default=6, help="takes per gloss (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("recordings"), help="output folder (default: %(default)s)"
    )
    _add_session_arguments(parser.add_argument_group("session"))
    parser.add_argument(
        "--input", metavar="CAMERA", help="number or path of the camera (default: 0)"
    )
    parser.add_argument(
        "--images",
        default="",
        metavar="TOPIC",
        help="image topic to record as well, e.g. hands/image",
    )
    parser.add_argument(
        "--domain-id",
        type=int,
        metavar="ID",
        help="ROS domain id (default: a free one; with --source none, the environment's)",
    )
    parser.add_argument("--verbose", action="store_true", help="show the nodes' logs")


def _add_session_arguments(group: argparse._ArgumentGroup) -> None:
    seconds = {
        "countdown": (not_negative, 2.0, "before each take"),
        "signing": (positive, 4.0, "maximum of a take"),
        "away": (not_negative, 0.6, "without hands that end a take early; 0: never"),
        "rest": (not_negative, 1.0, "after each take"),
    }
    for name, (kind, default, meaning) in seconds.items():
        text = f"{meaning} (default: {default})"
        group.add_argument(f"--{name}", type=kind, default=default, metavar="SECONDS", help=text)
    group.add_argument(
        "--in-order", action="store_true", help="do not shuffle the glosses in each round"
    )
    group.add_argument(
        "--seed",
        type=seed,
        default=0,
        help="random seed for shuffling and the synthetic signer (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the session and return its exit code."""
    from whispersign_ros.graph.recording_graph import record

    names = ("glosses", "takes", "seed", "countdown", "signing", "away", "rest", "images")
    session = {name: getattr(arguments, name) for name in names}
    session |= {"out": str(arguments.out), "shuffle": not arguments.in_order}
    return record(
        arguments.source,
        arguments.signer,
        session,
        {"input": arguments.input} if arguments.input is not None else {},
        arguments.seed,
        arguments.domain_id,
        arguments.verbose,
    )
