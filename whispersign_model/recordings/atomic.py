# SPDX-License-Identifier: MIT
"""Create folders and files atomically, and make safe names for them."""

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from whispersign_model.errors import WhisperSignError
from whispersign_model.temporary import PARTIAL, temporary_folder

COMPRESSED = (".zstd", ".zst")  # suffixes that rosbag2 and the program zstd append
NAME_LENGTH = 100  # characters; leaves room for suffixes within the 255 bytes of a file name


@contextmanager
def whole_folder(
    out: Path, error: type[WhisperSignError], *, replace: bool = False
) -> Iterator[Path]:
    """Yield an empty temporary folder that becomes ``out`` if the block succeeds.

    After any exception, including an interruption, the folder is removed and ``out`` is unchanged.

    Args:
        out: the folder to create, along with its parents.
        error: type of the error to raise when the file system refuses.
        replace: whether to replace an existing folder.

    Raises:
        WhisperSignError: an error of type ``error``: ``out`` exists or cannot be written.
    """
    _refuse_existing(out, error, replace)
    made = [parent for parent in out.parents if not parent.exists()]
    stack = ExitStack()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        beside = stack.enter_context(_folder_beside(out))
    except OSError as fault:
        raise error(out, f"cannot be written ({fault.strerror})", "choose another place") from fault
    done = False
    try:
        folder = beside / out.name
        folder.mkdir()
        yield folder
        _refuse_existing(out, error, replace)
        if out.exists():
            os.replace(out, beside / "replaced")
        os.replace(folder, out)
        done = True
    except OSError as fault:
        raise error(
            out, f"cannot be written ({fault.strerror or fault})", "no partial output was left"
        ) from fault
    finally:
        stack.close()
        for parent in () if done else made:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary file with the same suffix that replaces ``path`` if the block succeeds.

    After any exception, the temporary file is removed and ``path`` is unchanged. A link stays, and
    the file to which it leads is replaced.

    Raises:
        OSError: the file system refuses the operation, or ``path`` is a device, FIFO or socket.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file")
    with _folder_beside(path) as scratch:
        beside = scratch / path.name
        yield beside
        with beside.open("rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(beside, path)


def replace_file(path: Path, data: bytes) -> None:
    """Write or replace a file atomically; see ``whole_file``."""
    with whole_file(path) as beside:
        beside.write_bytes(data)


@contextmanager
def added_files(out: Path, names: Iterable[str], error: type[WhisperSignError]) -> Iterator[Path]:
    """Yield an empty folder whose entries ``names`` move into ``out`` if the block succeeds.

    Raises:
        WhisperSignError: an error of type ``error``: ``out`` has such an entry or is not writable.
    """
    if not out.is_dir() or not any(out.iterdir()):
        with whole_folder(out, error) as folder:
            yield folder
        return
    for name in names:
        if (out / name).exists():
            raise error(out / name, "exists already", "choose another folder")
    try:
        with _folder_beside(out) as beside:
            yield beside
            for entry in sorted(beside.iterdir()):
                os.replace(entry, out / entry.name)
    except OSError as fault:
        raise error(out, f"cannot be written ({fault.strerror or fault})") from fault


def _folder_beside(path: Path) -> AbstractContextManager[Path]:
    """Return a temporary folder on the same disk as ``path``."""
    return temporary_folder(f".{path.name[:40]}{PARTIAL}", path.parent)


def _refuse_existing(out: Path, error: type[WhisperSignError], replace: bool) -> None:
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists() and not replace:
        raise error(out, "exists already", "remove it or choose another name")


def safe_name(text: str) -> str:
    """Convert any text to a file name of letters, digits, ``.``, ``-`` and ``_``."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._")[:NAME_LENGTH] or "recording"


def bag_name(path: Path) -> str:
    """Return the name of a bag or another file, without its suffixes."""
    if not path.is_file():
        return path.resolve().name
    return Path(path.stem).stem if path.suffix in COMPRESSED else path.stem


def unique_name(name: str, taken: set[str]) -> str:
    """Return ``name``, or else ``name-2``, ``name-3``, ..., and add it to the taken names.

    Names that differ only in case count as equal, because some file systems ignore case.
    """
    candidate, number = name, 1
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{name}-{number}"
    taken.add(candidate.casefold())
    return candidate


def natural_order(path: Path) -> list[tuple[int, str]]:
    """Return a sort key that puts ``take_2`` before ``take_10``."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part) if part.isdecimal() else 0, part) for part in parts]
