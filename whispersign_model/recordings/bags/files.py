# SPDX-License-Identifier: MIT
"""The files of a rosbag2 bag: find bags, and read their metadata and storage files."""

import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from whispersign_model.errors import BagError
from whispersign_model.files import MEGABYTE, parse_yaml, read_text, require_file
from whispersign_model.recordings.atomic import natural_order
from whispersign_model.recordings.bags.recovery import (
    apply_journal,
    check_chunks,
    close_mcap,
    has_journal,
    is_closed_mcap,
    is_whole_sqlite,
)

METADATA = "metadata.yaml"
METADATA_BYTES = 8 * MEGABYTE
METADATA_VALUES = 100_000  # a bag of 5000 parts or 3000 topics
SUFFIXES = (".mcap", ".db3")
RECOVER_HINT = "`whispersign convert --recover` reads the complete part"
_URI_CHARACTERS = "?#%"  # rosbags opens sqlite3 files through unquoted URIs


@dataclass(frozen=True)
class BagMetadata:
    """The content of ``metadata.yaml``.

    Attributes:
        files: names of the storage files in order.
        compressed: whether files or messages are compressed, which only the folder reader handles.
        counts: number of messages by topic.
        custom: the writer's ``custom_data``.
    """

    files: tuple[str, ...]
    compressed: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    custom: dict[str, str] = field(default_factory=dict)


def read_metadata(path: Path) -> BagMetadata | None:
    """Read the metadata of a bag folder, or of a storage file that its folder's metadata lists.

    Returns:
        the metadata, or None if there is none.

    Raises:
        BagError: ``metadata.yaml`` is not in rosbag2's format.
    """
    file = (path if path.is_dir() else path.parent) / METADATA
    if not file.exists():
        return None
    try:
        text = read_text(file, BagError, METADATA_BYTES)
        # Every scalar stays text: a signer "007" is not a number.
        content = parse_yaml(text, plain=True, values=METADATA_VALUES)
        metadata = _parse(content["rosbag2_bagfile_information"])
    except (LookupError, AttributeError, TypeError, ValueError) as fault:
        raise BagError(file, "is not the metadata of a rosbag2", _reindex(file.parent)) from fault
    if path.is_dir() or path.name in metadata.files:
        return metadata
    return None


def _parse(content: dict[str, Any]) -> BagMetadata:
    custom = content.get("custom_data")  # a mapping, or one of YAML's empty values
    return BagMetadata(
        files=tuple(PurePath(name).name for name in content["relative_file_paths"]),
        compressed=content.get("compression_mode", "").lower() in ("file", "message"),
        counts={
            topic["topic_metadata"]["name"]: int(topic["message_count"])
            for topic in content["topics_with_message_count"]
        },
        custom={k: str(v) for k, v in custom.items()} if isinstance(custom, dict) else {},
    )


def _reindex(folder: Path) -> str:
    return f"remove it, or rewrite it with `ros2 bag reindex {folder}`"


def storage_files(path: Path, metadata: BagMetadata | None) -> list[Path]:
    """Return a bag's storage files in order.

    Raises:
        BagError: ``path`` is not a bag, or lacks a file that its metadata lists.
    """
    if not path.exists():
        raise BagError(path, "does not exist", "check the path")
    if path.is_file():
        if path.suffix in SUFFIXES:
            return [path]
        hint = "convert it with `rosbags-convert` first" if path.suffix == ".bag" else _WANTED
        raise BagError(path, f"is not a rosbag2 but a '{path.suffix}' file", hint)
    if not path.is_dir():
        require_file(path, BagError)
    if metadata is None:
        files = [
            file for file in sorted(path.iterdir(), key=natural_order) if file.suffix in SUFFIXES
        ]
        if not files:
            raise BagError(path, "is not a rosbag2", _WANTED)
        if not _one_recording(path, files):
            raise BagError(path, f"holds {len(files)} bags", "give one of them")
        return files
    files = [path / name for name in metadata.files]
    for file in files:
        if not file.is_file():
            raise BagError(file, f"is missing, but {METADATA} names it", _reindex(path))
    if not files:
        raise BagError(path, f"is empty: its {METADATA} names no storage file", "record it again")
    return files


_WANTED = "give a folder with metadata.yaml, or a .mcap or .db3 file"


def _one_recording(folder: Path, files: list[Path]) -> bool:
    """Return whether storage files without metadata are parts of one recording."""
    name = re.compile(rf"{re.escape(folder.name)}(_\d+)?")
    return len(files) == 1 or all(name.fullmatch(file.stem) for file in files)


def readable_file(file: Path, scratch: Path, recover: bool) -> Path:
    """Return ``file``, or a closed copy of it in ``scratch`` with the journal applied.

    Raises:
        BagError: the file is empty, or it is truncated and ``recover`` is False.
    """
    require_file(file, BagError)
    if not file.stat().st_size:
        raise BagError(file, "is empty", "record it again")
    copy = scratch / file.name
    if file.suffix == ".mcap":
        if is_closed_mcap(file):
            check_chunks(file)
            return file
        if not recover:
            raise BagError(file, _CUT, RECOVER_HINT)
        close_mcap(file, copy)
        check_chunks(copy)
        return copy
    check_sqlite_path(file)
    if has_journal(file):
        apply_journal(file, copy)
        return copy
    if not is_whole_sqlite(file):
        raise BagError(file, _CUT, "copy it again, or try the sqlite3 shell's .recover")
    return file


_CUT = "ends too early: the recorder was killed, or the copy is incomplete"


def check_sqlite_path(path: Path) -> None:
    """Reject paths that rosbags cannot open.

    Raises:
        BagError: the path of a sqlite3 bag contains a character that is special in URIs.
    """
    if any(character in str(path) for character in _URI_CHARACTERS):
        raise BagError(
            path, f"a sqlite3 bag's path cannot hold any of {_URI_CHARACTERS}", "rename its folder"
        )


def find_bags(paths: Iterable[Path | str]) -> list[Path]:
    """Find bags. Each path is a bag, a folder to search, or a glob pattern (``*``, ``**``).

    Returns:
        each bag once, in the order of the paths and, within a path, in natural order of names.

    Raises:
        BagError: a path does not lead to any bag.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        matches = [Path(path)]
        if not Path(path).exists() and glob.has_magic(str(path)):
            matches = sorted(map(Path, glob.glob(str(path), recursive=True)), key=natural_order)
        bags = [bag for match in matches for bag in _bags_in(match)]
        if not bags:
            raise BagError(path, "holds no rosbag2" if Path(path).exists() else "does not exist")
        for bag in bags:
            found.setdefault(bag.resolve(), bag)
    return list(found.values())


def _bags_in(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path] if path.exists() else []
    bags: list[Path] = []
    for folder, folders, names in os.walk(path):
        files = [Path(folder, name) for name in names if Path(name).suffix in SUFFIXES]
        if METADATA in names or (files and _one_recording(Path(folder), files)):
            bags.append(Path(folder))
            folders.clear()
        else:
            bags.extend(files)
        folders[:] = [name for name in folders if not name.startswith(".")]
    return sorted(bags, key=natural_order)
