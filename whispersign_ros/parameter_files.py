"""Parameter files: a section that names none of our nodes by a slip is refused, not passed over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path

import yaml

from whispersign_model.errors import ConfigError

FLAGS = ("--params-file",)
LIKENESS = 0.8  # of a name to one of ours, from which it is taken for a slip of the pen
SECTION = "ros__parameters"


def check_files(arguments: Sequence[str], names: Sequence[str]) -> None:
    """Check the sections of all parameter files on a command line.

    ROS passes over sections for other nodes, and so over a misspelled one. A file may have sections
    for other packages' nodes, and for ours under longer names (``camera_node_left``).

    Args:
        arguments: of the process; what cannot be read is left to ROS, which says so.
        names: all our nodes.

    Raises:
        ConfigError: a section's name is nearly that of one of our nodes.
    """
    for flag, path in pairwise(arguments):
        if flag in FLAGS:
            for section in _sections(Path(path)):
                near = get_close_matches(section, names, n=1, cutoff=LIKENESS)
                if near and not any(name in section for name in names):
                    raise ConfigError(
                        path, f"there is no node '{section}'", f"did you mean '{near[0]}'?"
                    )


def _sections(path: Path) -> Iterator[str]:
    """Yield the last part of each node's name that a file has parameters for."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError):
        return
    waiting = [("", content)]
    while waiting:
        name, part = waiting.pop()
        if isinstance(part, dict):
            if SECTION in part:
                yield name.rpartition("/")[2]
            waiting += [(str(key), value) for key, value in part.items() if key != SECTION]
