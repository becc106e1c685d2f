# SPDX-License-Identifier: MIT
"""Check the output paths of a command before its work starts, and write its output."""

import json
import sys
import tempfile
from pathlib import Path

from whispersign_model.errors import ConfigError
from whispersign_model.recordings.atomic import replace_file


def check_file(path: Path | None) -> None:
    """Make the parent folder of an output file; do nothing for None.

    Raises:
        ConfigError: the file cannot be written.
    """
    if path is None:
        return
    check_folder(path.parent)
    if path.is_dir():
        raise ConfigError(path, "is a folder", "give a file")
    if path.exists() and not path.is_file():
        raise ConfigError(path, "is not a regular file", "give a file")


def check_folder(folder: Path | None) -> None:
    """Make an output folder; do nothing for None.

    Raises:
        ConfigError: the folder cannot be made or is not writable.
    """
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # permissions alone do not tell for /proc and root
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def write_json(path: Path | None, content: object) -> None:
    """Write figures as JSON, atomically; do nothing if the path is None.

    Raises:
        ConfigError: the file cannot be written.
    """
    if path is None:
        return
    try:
        replace_file(path, json.dumps(content, indent=1).encode())
    except OSError as error:
        raise _unwritable(path, error) from error


def warn(text: str) -> None:
    """Print a warning on stderr."""
    print(f"warning: {text}", file=sys.stderr)


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(path, f"cannot be written ({error.strerror or error})")
