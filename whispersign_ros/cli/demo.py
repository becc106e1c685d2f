# SPDX-License-Identifier: MIT
"""Run the live graph on recordings and print each gloss when it is recognized.

Starts replay, smoothing, preprocessing and recognition as separate processes in their own ROS
domain, and compares the glosses with the recordings' labels. `--model german` and `--model thai`
play real recordings that the network has not learned from. With --drive, a synthetic signer or
recordings control a simulated robot through a commands file. Exit codes: 0 if every gloss sequence
is correct or the robot followed every sign, 1 if not, 2 if an option or file is invalid.
"""

import argparse
from contextlib import ExitStack
from pathlib import Path

from whispersign_model.bundled import takes_of
from whispersign_model.cli.arguments import checkpoint, config, count
from whispersign_model.cli.outputs import check_file
from whispersign_model.errors import ConfigError
from whispersign_ros.node.assets import DEMO_BAG, DEMO_MODEL

SIGNED = ("HELLO", "GO", "LEFT", "GO", "RIGHT", "GO", "STOP")
SIGNER = 86  # unknown to the bundled model, which recognizes all its signs
TAKES = 10  # bundled recordings to play
PICTURES = (".png", ".svg", ".pdf")
OF_DRIVING = ("commands", "sign", "signer", "picture")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument(
        "--model",
        type=checkpoint,
        default=DEMO_MODEL,
        metavar="CKPT",
        help="checkpoint or exported network, or the name of a bundled one (default: demo)",
    )
    parser.add_argument(
        "--bag",
        type=Path,
        nargs="+",
        help="annotated bags or folders of bags (default: the model's bundled takes, or else the "
        "bundled bag; with --drive, none)",
    )
    parser.add_argument(
        "--takes",
        type=count,
        metavar="N",
        help=f"number of bundled takes to play, one of each sign first (default: {TAKES})",
    )
    parser.add_argument(
        "--json",
        type=Path,
        metavar="OUT.json",
        help="write the recognized glosses, or with --drive the robot's events, to this file",
    )
    parser.add_argument(
        "--domain-id", type=int, metavar="ID", help="ROS domain id (default: a free one)"
    )
    driving = parser.add_argument_group("driving a simulated robot")
    driving.add_argument("--drive", action="store_true", help="drive the robot by signs")
    driving.add_argument(
        "--commands", type=config, metavar="FILE", help="default: config/commands.yaml"
    )
    driving.add_argument(
        "--sign",
        metavar="GLOSS,GLOSS",
        help=f"signs of the synthetic signer if --bag is not set (default: {','.join(SIGNED)})",
    )
    driving.add_argument(
        "--signer",
        type=int,
        metavar="SEED",
        help=f"seed of the synthetic signer (default: {SIGNER})",
    )
    driving.add_argument(
        "--picture", type=Path, metavar="FILE", help="plot the robot's trajectory (PNG, SVG or PDF)"
    )
    parser.add_argument("--verbose", action="store_true", help="show the nodes' logs")


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration and return its exit code."""
    given = [name for name in OF_DRIVING if getattr(arguments, name) is not None]
    if given and not arguments.drive:
        raise ConfigError(f"--{given[0]}", "requires --drive", "add --drive")
    check_file(arguments.json)
    check_file(arguments.picture)
    if arguments.picture is not None and arguments.picture.suffix.lower() not in PICTURES:
        raise ConfigError(arguments.picture, "is not a name of a picture", "end it in .png")
    takes = None if arguments.bag or arguments.drive else takes_of(arguments.model)
    if arguments.takes is not None and takes is None:
        remedy = "choose `--model german` or `thai` without --bag and --drive, or omit it"
        raise ConfigError("--takes", "applies only to bundled takes", remedy)
    if arguments.drive:
        return _drive(arguments)
    from whispersign_ros.demo.graph_demo import as_bags, demonstrate

    with ExitStack() as stack:
        if takes is None:
            bags = arguments.bag or [DEMO_BAG]
        else:
            bags = stack.enter_context(as_bags(takes, arguments.takes or TAKES))
        return demonstrate(
            arguments.model, bags, arguments.domain_id, arguments.verbose, arguments.json
        )


def _drive(arguments: argparse.Namespace) -> int:
    from whispersign_model.configuration import config_file
    from whispersign_ros.demo.drive_demo import DriveOptions, drive

    for name in ("sign", "signer"):
        if arguments.bag and getattr(arguments, name) is not None:
            raise ConfigError(f"--{name}", "applies only to the synthetic signer", "omit --bag")
    glosses = SIGNED if arguments.sign is None else arguments.sign.split(",")
    return drive(
        DriveOptions(
            model=arguments.model,
            commands=arguments.commands or config_file("commands.yaml"),
            bags=tuple(arguments.bag or ()),
            glosses=tuple(gloss.strip() for gloss in glosses if gloss.strip()),
            signer=SIGNER if arguments.signer is None else arguments.signer,
            picture=arguments.picture,
            domain=arguments.domain_id,
            verbose=arguments.verbose,
            json=arguments.json,
        )
    )
