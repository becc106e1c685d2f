# SPDX-License-Identifier: MIT
"""Types of command-line arguments, each with its error for a malformed value."""

import argparse
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from whispersign_model.bundled import find_checkpoint
from whispersign_model.configuration import find_config
from whispersign_model.errors import ConfigError


def checkpoint(text: str) -> Path:
    """A checkpoint's folder or file, an exported network, or the name of a bundled one."""
    return find_checkpoint(text)


def config(text: str) -> Path:
    """A configuration file, or one of the project's, such as config/train.yaml."""
    return find_config(text)


def count(text: str) -> int:
    """A whole number from 1."""
    return _whole(text, 1)


def index(text: str) -> int:
    """A whole number from 0."""
    return _whole(text, 0)


def not_negative(text: str) -> float:
    """A number from 0."""
    number = _number(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return number


def positive(text: str) -> float:
    """A number above 0."""
    number = _number(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def seed(text: str) -> int:
    """A whole number from 0 that all random generators take."""
    number = _whole(text, 0)
    if number >= 2**32:
        raise argparse.ArgumentTypeError(f"{text} is above {2**32 - 1}")
    return number


def defaults_of(add: Callable[[argparse.ArgumentParser], None]) -> dict[str, Any]:
    """The optional arguments that ``add`` declares, each with its default."""
    parser = argparse.ArgumentParser()
    add(parser)
    return vars(parser.parse_args([]))


def refuse_idle(
    arguments: argparse.Namespace, idle: Mapping[str, Any], fault: str, remedy: str
) -> None:
    """Refuse options that nothing would read.

    Args:
        arguments: the command line.
        idle: names of such options in ``arguments``, with their defaults.
        fault: why nothing reads them, for the message.
        remedy: what to do.

    Raises:
        ConfigError: naming the first that differs from its default.
    """
    for name, default in idle.items():
        if getattr(arguments, name) != default:
            raise ConfigError(f"--{name.replace('_', '-')}", fault, remedy)


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number") from None
    if number < least:
        raise argparse.ArgumentTypeError(f"{text} is below {least}")
    return number


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"'{text}' is no number")
    return number
