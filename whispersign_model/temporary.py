# SPDX-License-Identifier: MIT
"""Temporary folders; the next process removes those of a process that was killed."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

PREFIX = "whispersign-"
PARTIAL = ".partial-"  # within the name of a folder that holds unfinished output
LOCK = ".whispersign.lock"  # in each folder; its owner holds it and wrote its host's name there
_swept: set[Path] = set()  # folders whose leftovers this process has removed


@contextmanager
def temporary_folder(prefix: str = PREFIX, parent: Path | None = None) -> Iterator[Path]:
    """Yield a temporary folder, and remove it with all that it holds.

    The first call for each ``parent`` also removes folders that killed processes left there. A
    folder counts as left if its lock is free and a process of this host and user made it.

    Args:
        prefix: begins the folder's name; starts with ``PREFIX`` or ends with ``PARTIAL``.
        parent: folder to create it in; default: the system's folder for temporary files.

    Raises:
        OSError: the folder cannot be created.
    """
    parent = Path(tempfile.gettempdir()) if parent is None else parent
    if parent not in _swept:
        _swept.add(parent)
        remove_leftovers(parent)
    outer = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        with _locked(outer):
            content = outer / "content"
            content.mkdir()
            yield content
    finally:
        shutil.rmtree(outer, ignore_errors=True)


@contextmanager
def _locked(outer: Path) -> Iterator[None]:
    """Lock a new folder; its lock file appears locked, so that nobody removes the folder."""
    new = outer / f"{LOCK}.new"
    with new.open("w") as lock:
        with suppress(OSError):  # without locks nobody removes leftovers
            flock(lock, LOCK_EX | LOCK_NB)
            lock.write(socket.gethostname())
            lock.flush()
            os.replace(new, outer / LOCK)
        yield


def remove_leftovers(parent: Path) -> None:
    """Remove the temporary folders that killed processes left in ``parent``."""
    with suppress(OSError):
        for entry in os.scandir(parent):
            if entry.name.startswith(PREFIX) or PARTIAL in entry.name:
                with suppress(OSError):  # it is locked, another user's, or being removed
                    _remove_if_left(entry)


def _remove_if_left(entry: "os.DirEntry[str]") -> None:
    """Remove a folder of this host and user whose lock is free.

    Raises:
        OSError: it is in use, or not ours.
    """
    if not entry.is_dir(follow_symlinks=False) or entry.stat().st_uid != os.geteuid():
        return
    file = os.open(Path(entry.path) / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        flock(file, LOCK_EX | LOCK_NB)
        # Another host may share the disk but not its locks.
        if os.read(file, 256).decode(errors="replace") == socket.gethostname():
            shutil.rmtree(entry.path, ignore_errors=True)
    finally:
        os.close(file)
