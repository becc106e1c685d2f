# SPDX-License-Identifier: MIT
"""Check parameter files for misspelled node names, and read the parameters set for all nodes."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from importlib import import_module
from itertools import pairwise
from pathlib import Path

from whispersign_model.errors import ConfigError
from whispersign_model.files import YAML_BYTES, read_bytes, read_yaml

FLAGS = ("--params-file",)
LIKENESS = 0.8  # minimum similarity to a node's name that counts as a misspelling of it
SECTION = "ros__parameters"
EVERY_NODE = "/**"


def require_files(arguments: Sequence[str]) -> None:
    """Read all parameter files on a command line once, before ROS opens them.

    ROS waits for the other end of a FIFO, and reads a file without a limit.

    Raises:
        ConfigError: a file is missing, not a regular file, or too large.
    """
    for flag, path in pairwise(arguments):
        if flag in FLAGS:
            read_bytes(Path(path), ConfigError, YAML_BYTES)


def check_files(arguments: Sequence[str], names: Sequence[str]) -> None:
    """Check the sections of all parameter files on a command line for misspelled names.

    ROS ignores sections for other nodes, and therefore misspelled names. Sections for other
    packages' nodes and longer names of our nodes (``camera_node_left``) are valid.

    Args:
        arguments: command line of the process; ROS itself reports unreadable files.
        names: names of all our nodes.

    Raises:
        ConfigError: a section has a name similar to one of our nodes, and sets only parameters of
            that node.
    """
    for path, section, keys in _sections(arguments):
        name = section.rpartition("/")[2]
        near = get_close_matches(name, names, n=1, cutoff=LIKENESS)
        if near and not any(each in name for each in names) and keys <= parameters_of(near[0]):
            raise ConfigError(path, f"there is no node '{name}'", f"did you mean '{near[0]}'?")


def shared_parameters(arguments: Sequence[str]) -> set[str]:
    """Return the parameters that files on a command line set for all nodes (``/**``), by name."""
    found: set[str] = set()
    for _, section, keys in _sections(arguments):
        if section == EVERY_NODE:
            found |= keys
    return found


def parameters_of(node: str) -> set[str]:
    """Return the parameter names of one of our nodes."""
    return {setting.name for setting in import_module(f"whispersign_ros.nodes.{node}").PARAMETERS}


def _sections(arguments: Sequence[str]) -> Iterator[tuple[Path, str, set[str]]]:
    """Yield file, node name and parameter names of each section of all files."""
    for flag, path in pairwise(arguments):
        if flag in FLAGS:
            for section, keys in _sections_of(Path(path)):
                yield Path(path), section, keys


def _sections_of(path: Path) -> Iterator[tuple[str, set[str]]]:
    try:
        content = read_yaml(path, ConfigError)
    except ConfigError:
        return
    waiting = [("", content)]
    while waiting:
        name, part = waiting.pop()
        if isinstance(part, dict):
            if isinstance(part.get(SECTION), dict):
                yield name, set(map(str, part[SECTION]))
            waiting += [(str(key), value) for key, value in part.items() if key != SECTION]
