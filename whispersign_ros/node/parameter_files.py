# SPDX-License-Identifier: MIT
"""Parameter files: a section that names none of our nodes by a slip is refused; what all share."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import yaml

from whispersign_model.errors import ConfigError

FLAGS = ("--params-file",)
LIKENESS = 0.8  # of a name to one of ours, from which it is taken for a slip of the pen
SECTION = "ros__parameters"
EVERY_NODE = "/**"


def check_files(arguments: Sequence[str], names: Sequence[str]) -> None:
    """Check the sections of all parameter files on a command line.

    ROS passes over sections for other nodes, and so over a misspelled one. A file may have sections
    for other packages' nodes, and for ours under longer names (``camera_node_left``).

    Args:
        arguments: of the process; what cannot be read is left to ROS, which says so.
        names: all our nodes.

    Raises:
        ConfigError: a section's name is nearly that of one of our nodes, and all that it sets are
            parameters of that node.
    """
    for path, section, keys in _sections(arguments):
        name = section.rpartition("/")[2]
        near = get_close_matches(name, names, n=1, cutoff=LIKENESS)
        if near and not any(each in name for each in names) and keys <= parameters_of(near[0]):
            raise ConfigError(path, f"there is no node '{name}'", f"did you mean '{near[0]}'?")


def shared_parameters(arguments: Sequence[str]) -> set[str]:
    """Return the names that the parameter files on a command line set for all nodes (``/**``)."""
    found: set[str] = set()
    for _, section, keys in _sections(arguments):
        if section == EVERY_NODE:
            found |= keys
    return found


def parameters_of(node: str) -> set[str]:
    """Return the names of the parameters of one of our nodes."""
    return {setting.name for setting in import_module(f"whispersign_ros.nodes.{node}").PARAMETERS}


def _sections(arguments: Sequence[str]) -> Iterator[tuple[Path, str, set[str]]]:
    """Yield file, node's name, and names of parameters of each section of all files."""
    for flag, path in pairwise(arguments):
        if flag in FLAGS:
            for section, keys in _sections_of(Path(path)):
                yield Path(path), section, keys


def _sections_of(path: Path) -> Iterator[tuple[str, set[str]]]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError):
        return
    waiting = [("", content)]
    while waiting:
        name, part = waiting.pop()
        if isinstance(part, dict):
            if isinstance(part.get(SECTION), dict):
                yield name, set(map(str, part[SECTION]))
            waiting += [(str(key), value) for key, value in part.items() if key != SECTION]
