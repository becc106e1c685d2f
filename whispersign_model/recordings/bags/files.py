# SPDX-License-Identifier: MIT
"""The files of a rosbag2 bag: find bags, and read their metadata and storage files."""

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from whispersign_model.errors import BagError
from whispersign_model.files import MEGABYTE, parse_yaml, read_text, require_file
from whispersign_model.recordings.atomic import COMPRESSED, bag_name, natural_order
from whispersign_model.recordings.bags.compression import decompress_file
from whispersign_model.recordings.bags.mcap import McapFile
from whispersign_model.recordings.bags.parts import PART
from whispersign_model.recordings.bags.recovery import (
    CUT,
    RECOVER_HINT,
    apply_journal,
    check_chunks,
    close_mcap,
    has_journal,
    is_closed_mcap,
    is_whole_sqlite,
)
from whispersign_model.recordings.bags.sqlite import SqliteFile
from whispersign_model.recordings.bags.storage import StorageFile
from whispersign_model.recordings.media import is_video_file

METADATA = "metadata.yaml"
METADATA_BYTES = 8 * MEGABYTE
METADATA_VALUES = 100_000  # a bag of 5000 parts or 3000 topics
SUFFIXES = (".mcap", ".db3")
_URI_CHARACTERS = "?#%"  # rosbags opens sqlite3 files through unquoted URIs


@dataclass(frozen=True)
class BagMetadata:
    """The content of ``metadata.yaml``.

    Attributes:
        files: names of the storage files in order.
        compression: compression format of files or messages, or "".
        counts: number of messages by topic.
        types: message type by topic.
        custom: the writer's ``custom_data``.
    """

    files: tuple[str, ...]
    compression: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
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
    compressed = content.get("compression_mode", "").lower() in ("file", "message")
    counts: Counter[str] = Counter()
    topics = content["topics_with_message_count"]
    for topic in topics:  # a topic appears once for each type
        counts[topic["topic_metadata"]["name"]] += int(topic["message_count"])
    return BagMetadata(
        files=tuple(PurePath(name).name for name in content["relative_file_paths"]),
        compression=content.get("compression_format", "") if compressed else "",
        counts=dict(counts),
        types={each["topic_metadata"]["name"]: each["topic_metadata"]["type"] for each in topics},
        custom={k: str(v) for k, v in custom.items()} if isinstance(custom, dict) else {},
    )


def _reindex(folder: Path) -> str:
    return f"remove it, or rewrite it with `ros2 bag reindex {folder}`"


def storage_files(path: Path, metadata: BagMetadata | None, recover: bool = False) -> list[Path]:
    """Return a bag's storage files in order.

    Args:
        path: a bag's folder, or a single storage file.
        metadata: the bag's metadata, if there is one.
        recover: accept missing parts, and parts that the metadata does not list.

    Raises:
        BagError: ``path`` is not a bag, or lacks a part of the recording.
    """
    if not path.exists():
        raise BagError(path, "does not exist", "check the path")
    if path.is_file():
        if _is_storage(path):
            return [path]
        raise BagError(path, f"is not a rosbag2 but a '{path.suffix}' file", _hint(path))
    if not path.is_dir():
        require_file(path, BagError)
    found = _storage_in(path)
    if metadata is not None:
        return _listed_files(path, metadata, found, recover)
    if not found:
        raise BagError(path, "is not a rosbag2", _WANTED)
    if not _one_recording(path, found):
        raise BagError(path, f"holds {len(found)} bags", "give one of them")
    if not recover:
        _check_parts(path, found)
    return found


_WANTED = "give a folder with metadata.yaml, or a .mcap or .db3 file"


def _hint(path: Path) -> str:
    """Return what to do about a file, or the files of a folder, that are no bags."""
    files = list(path.iterdir()) if path.is_dir() else [path]
    if any(map(is_video_file, files)):
        return "find the hands in videos with `whispersign extract` first"
    return "convert it with `rosbags-convert` first" if path.suffix == ".bag" else _WANTED


def _is_storage(path: PurePath) -> bool:
    return PurePath(_unpacked(path)).suffix in SUFFIXES


def _unpacked(path: PurePath) -> str:
    """Return a file's name without the suffix of a compression."""
    return path.stem if path.suffix in COMPRESSED else path.name


def _storage_in(folder: Path) -> list[Path]:
    """Return the storage files in a folder, each part once.

    A recorder compresses a part beside the original, which it then removes. If it is killed
    meanwhile, only the original is complete.
    """
    parts: dict[str, Path] = {}
    for file in folder.iterdir():
        kept = file.suffix in SUFFIXES or _unpacked(file) not in parts
        if kept and _is_storage(file) and file.is_file():
            parts[_unpacked(file)] = file
    return [parts[name] for name in sorted(parts, key=lambda name: natural_order(Path(name)))]


def _listed_files(
    folder: Path, metadata: BagMetadata, found: Sequence[Path], recover: bool
) -> list[Path]:
    """Return the files that the metadata lists, compressed or not."""
    if not metadata.files:
        raise BagError(folder, f"is empty: its {METADATA} names no storage file", "record it again")
    if metadata.compression not in ("", "zstd"):
        fault = f"states the compression '{metadata.compression[:20]}'"
        raise BagError(folder / METADATA, fault, "convert it with `ros2 bag convert`")
    present = {_unpacked(file): file for file in found}
    files = []
    for name in metadata.files:
        file = folder / name
        if not file.exists():
            file = present.get(_unpacked(file), file)
        if not file.exists():
            raise BagError(file, f"is missing, but {METADATA} names it", _reindex(folder))
        require_file(file, BagError)
        files.append(file)
    listed = {_unpacked(PurePath(name)) for name in metadata.files}
    stems = {PART.sub("", PurePath(name).stem) for name in listed}
    unlisted = [
        file
        for name, file in present.items()
        if name not in listed
        and PART.search(PurePath(name).stem)
        and PART.sub("", PurePath(name).stem) in stems
    ]
    if unlisted and not recover:
        raise BagError(unlisted[0], f"is not named in {METADATA}", _reindex(folder))
    return files + unlisted


def _one_recording(folder: Path, files: Sequence[Path]) -> bool:
    """Return whether storage files without metadata are parts of one recording."""
    return len(files) == 1 or bool(_recording_name(folder, files))


def _recording_name(folder: Path, files: Sequence[Path]) -> str:
    """Return the name that all parts of a recording share, or "".

    It is the folder's, unless somebody has renamed the folder. Then only files that a recorder has
    compressed are known as parts: others may as well be numbered recordings.
    """
    names = [bag_name(file) for file in files]
    own = re.compile(rf"{re.escape(folder.name)}(_\d+)?")
    if all(map(own.fullmatch, names)):
        return folder.name
    shared = {PART.sub("", name) for name in names}
    compressed = any(file.suffix in COMPRESSED for file in files)
    numbered = all(map(PART.search, names))
    return shared.pop() if len(shared) == 1 and numbered and compressed else ""


def _check_parts(folder: Path, files: Sequence[Path]) -> None:
    """Reject parts whose numbers have a gap.

    Raises:
        BagError: a part is missing; the message names it.
    """
    recording = _recording_name(folder, files)
    numbers = [bag_name(file).removeprefix(f"{recording}_") for file in files]
    if not recording or not all(map(str.isdecimal, numbers)):
        return
    held = {int(number) for number in numbers}
    missing = [number for number in range(min(max(held), LARGEST_PART)) if number not in held]
    if missing:
        suffix = PurePath(_unpacked(files[0])).suffix
        names = ", ".join(f"{recording}_{number}{suffix}" for number in missing[:3])
        more = f" and {len(missing) - 3} more parts" if len(missing) > 3 else ""
        raise BagError(
            folder,
            f"lacks {names}{more} of its recording",
            "copy them there; `whispersign convert --recover` reads the other parts",
        )


LARGEST_PART = 100_000  # parts of a recording that are looked for


def readable_file(file: Path, scratch: Path, recover: bool) -> Path:
    """Return ``file``, or a copy in ``scratch``: decompressed, closed, with the journal applied.

    Raises:
        BagError: the file is empty, or it is truncated and ``recover`` is False.
    """
    require_file(file, BagError)
    if not file.stat().st_size:
        raise BagError(file, "is empty", "record it again")
    if file.suffix not in COMPRESSED:
        return _complete_file(file, scratch, recover)
    unpacked = scratch / file.stem
    decompress_file(file, unpacked, recover)
    try:
        return _complete_file(unpacked, scratch, recover)
    except BagError as error:
        raise BagError(file, error.fault, error.remedy) from error


def _complete_file(file: Path, scratch: Path, recover: bool) -> Path:
    copy = scratch / f"complete_{file.name}"
    if file.suffix == ".mcap":
        if is_closed_mcap(file):
            check_chunks(file)
            return file
        if not recover:
            raise BagError(file, CUT, RECOVER_HINT)
        close_mcap(file, copy)
        check_chunks(copy)
        return copy
    if has_journal(file):
        apply_journal(file, copy)
        return copy
    if not is_whole_sqlite(file):
        raise BagError(file, CUT, "copy it again, or try the sqlite3 shell's .recover")
    return file


def open_storage(path: Path) -> StorageFile:
    """Open an mcap or sqlite3 file.

    Raises:
        OSError, ValueError, struct.error, sqlite3.Error, and others: the file is damaged.
    """
    return McapFile(path) if path.suffix == ".mcap" else SqliteFile(path)


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
            if not Path(path).exists():
                raise BagError(path, "does not exist")
            raise BagError(path, "holds no rosbag2", _hint(Path(path)))
        for bag in bags:
            found.setdefault(bag.resolve(), bag)
    return list(found.values())


def _bags_in(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path] if path.exists() else []
    bags: list[Path] = []
    for folder, folders, names in os.walk(path):
        files = _storage_in(Path(folder)) if any(_is_storage(PurePath(n)) for n in names) else []
        if METADATA in names or (files and _one_recording(Path(folder), files)):
            bags.append(Path(folder))
            folders.clear()
        else:
            bags.extend(files)
        folders[:] = [name for name in folders if not name.startswith(".")]
    return sorted(bags, key=natural_order)
