# SPDX-License-Identifier: MIT
"""Argument types for the command line, which reject malformed values."""

import argparse
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from whispersign_model.bundled import find_checkpoint, find_recordings
from whispersign_model.configuration import find_config
from whispersign_model.errors import ConfigError


def checkpoint(text: str) -> Path:
    """Resolve a checkpoint's path, an exported network's path, or a bundled network's name."""
    return find_checkpoint(text)


def config(text: str) -> Path:
    """Resolve a configuration file, either the user's or one in the project's config folder."""
    return find_config(text)


def recordings_path(text: str) -> Path:
    """Resolve the path of recordings, or the name of bundled ones."""
    return find_recordings(text)


def count(text: str) -> int:
    """Parse a whole number of at least 1."""
    return _whole(text, 1)


def index(text: str) -> int:
    """Parse a whole number of at least 0."""
    return _whole(text, 0)


def not_negative(text: str) -> float:
    """Parse a number of at least 0."""
    number = _number(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return number


def positive(text: str) -> float:
    """Parse a number above 0."""
    number = _number(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def seed(text: str) -> int:
    """Parse a seed in the range that every random generator accepts: 0 to 2**32 - 1."""
    number = _whole(text, 0)
    if number >= 2**32:
        raise argparse.ArgumentTypeError(f"{text} is above {2**32 - 1}")
    return number


def defaults_of(add: Callable[[argparse.ArgumentParser], None]) -> dict[str, Any]:
    """Return the names and defaults of the optional arguments that ``add`` declares."""
    parser = argparse.ArgumentParser()
    add(parser)
    return vars(parser.parse_args([]))


def refuse_idle(
    arguments: argparse.Namespace, idle: Mapping[str, Any], fault: str, remedy: str
) -> None:
    """Reject options that have no effect in combination with the others.

    Args:
        arguments: the parsed command line.
        idle: names and defaults of the options that have no effect.
        fault: reason for the error message.
        remedy: what the user can do instead.

    Raises:
        ConfigError: one of these options differs from its default.
    """
    for name, default in idle.items():
        if getattr(arguments, name) != default:
            raise ConfigError(f"--{name.replace('_', '-')}", fault, remedy)


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number") from None
    if number < least:
        raise argparse.ArgumentTypeError(f"{text} is below {least}")
    return number


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number")
    return number
