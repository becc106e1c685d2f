# SPDX-License-Identifier: MIT
"""Takes of a recording session, each in its own bag, which is synced to disk before it counts."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import IO

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader, StoragePlugin, Writer

from whispersign_model.errors import BagError
from whispersign_model.files import require_file
from whispersign_model.recordings.atomic import safe_name, whole_folder
from whispersign_model.recordings.bags.bag import METADATA_VERSION, SIGNER, add_connection
from whispersign_model.recordings.bags.files import METADATA, read_metadata
from whispersign_model.recordings.bags.topics import damage_told
from whispersign_model.recordings.labels import DISCARD, KEEP

GLOSS, TAKE, SENSOR, STATUS = "gloss", "take", "sensor", "status"  # keys in custom_data
LOCK = ".session.lock"
MADE = "made the folder\n"  # content of the lock file
UNFINISHED = ".*_take[0-9]*.partial-*"  # prefix of folders that a killed session leaves behind


@dataclass(frozen=True)
class Take:
    """One repetition of a gloss, or of a sentence's glosses joined by ``|``.

    Attributes:
        gloss: the prompted gloss.
        number: repetition number for this signer, starting at 0; discarded takes count, too.
        signer: name of the signer; "" if unknown.
        kept: whether the take was kept rather than discarded.
    """

    gloss: str
    number: int
    signer: str
    kept: bool = True

    @property
    def folder(self) -> str:
        """The folder name of the take's bag."""
        words = (safe_name(word) for word in (self.gloss, self.signer) if word)
        return f"{'_'.join(words)}_take{self.number}"


def find_takes(out: Path) -> list[Take]:
    """Return the takes whose bags are in a folder, ignoring other bags.

    Raises:
        BagError: the metadata of a bag cannot be read.
    """
    takes = []
    for path in sorted(out.glob(f"[!.]*/{METADATA}")):
        metadata = read_metadata(path.parent)
        custom = metadata.custom if metadata else {}
        if custom.get(GLOSS) and custom.get(TAKE, "").isdigit():
            kept = custom.get(STATUS, KEEP) == KEEP
            takes.append(Take(custom[GLOSS], int(custom[TAKE]), custom.get(SIGNER, ""), kept))
    return takes


@contextmanager
def session_folder(out: Path) -> Iterator[int]:
    """Lock a folder of takes for one session; remove unfinished takes of a killed session.

    If the session leaves no take, the lock file is removed, and the folder if a session made it.
    The lock of a killed session is free; the lock file says whether that session made the folder.

    Yields:
        the number of unfinished takes that were removed.

    Raises:
        BagError: the folder cannot be written, or another session has locked it.
    """
    new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        if (out / LOCK).exists():
            require_file(out / LOCK, BagError)
        with (out / LOCK).open("a+") as lock:
            flock(lock, LOCK_EX | LOCK_NB)
            if not _is_at(lock, out / LOCK):  # an ending session has just removed it
                raise BlockingIOError
            lock.seek(0)
            if new:
                lock.write(MADE)
                lock.flush()
            else:
                new = lock.read(len(MADE)) == MADE
            unfinished = list(out.glob(UNFINISHED))
            for folder in unfinished:
                shutil.rmtree(folder)
            try:
                yield len(unfinished)
            finally:
                if [entry.name for entry in out.iterdir()] == [LOCK]:
                    (out / LOCK).unlink()
                    if new:
                        out.rmdir()
    except BlockingIOError as error:
        raise BagError(out, "is in use by another session", "end it, or choose another") from error
    except OSError as error:
        raise _unwritable(out, error) from error


def _is_at(file: IO[str], path: Path) -> bool:
    """Return whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


class TakeWriter:
    """Writes the bag of a take message by message; the bag appears when the take is kept.

    Args:
        out: folder of the takes.
        take: the take to write.

    Raises:
        BagError: the bag already exists or cannot be written; the part written so far is lost.
    """

    def __init__(self, out: Path, take: Take) -> None:
        self.path = out / take.folder
        self.take = take
        self._connections: dict[str, Connection] = {}
        self._clock = 0
        with ExitStack() as stack:
            folder = stack.enter_context(whole_folder(self.path, BagError))
            folder.rmdir()  # rosbags creates this folder
            stack.enter_context(_synced(folder))
            self._writer = stack.enter_context(_writer(folder))
            self._stack = stack.pop_all()

    def write(self, topic: str, message_type: str, data: bytes, time: int) -> None:
        """Append a message as received: its CDR bytes and arrival time."""
        self._clock = max(time, self._clock)
        try:
            if topic not in self._connections:
                self._connections[topic] = add_connection(self._writer, topic, message_type)
            self._writer.write(self._connections[topic], self._clock, data)
        except OSError as error:
            self.drop()
            raise _unwritable(self.path, error) from error

    def keep(self, sensor: str) -> None:
        """Close the bag and sync it to disk.

        Args:
            sensor: name of the sensor that the frames come from.
        """
        for key, value in _custom_data(self.take, sensor).items():
            self._writer.set_custom_data(key, value)
        self._stack.__exit__(None, None, None)

    def drop(self) -> None:
        """Remove everything written."""
        with suppress(BagError):  # the disk is full, but these bytes are discarded anyway
            self._stack.__exit__(_DroppedError, _DroppedError(), None)


class _DroppedError(Exception):
    """Raised to abort a bag that is not kept."""


def discard_take(out: Path, take: Take, topic: str, message_type: str, data: bytes) -> None:
    """Discard a kept take by appending an annotation to its bag.

    Raises:
        BagError: the bag cannot be read or written; it stays unchanged.
    """
    path = out / take.folder
    with ExitStack() as stack:
        folder = stack.enter_context(whole_folder(path, BagError, replace=True))
        folder.rmdir()
        stack.enter_context(_synced(folder))
        with damage_told(path):
            reader = stack.enter_context(Reader(path))
        writer = stack.enter_context(_writer(folder))
        metadata = read_metadata(path)
        assert metadata is not None  # the reader needs the storage file, too
        for key, value in (metadata.custom | {STATUS: DISCARD}).items():
            writer.set_custom_data(key, value)
        copies = {c.topic: add_connection(writer, c.topic, c.msgtype) for c in reader.connections}
        if topic not in copies:
            copies[topic] = add_connection(writer, topic, message_type)
        last, count = 0, 0
        for connection, time, content in reader.messages():
            writer.write(copies[connection.topic], time, content)
            last, count = time, count + 1
        if count != reader.message_count:
            fault = f"holds {count} messages where its {METADATA} says {reader.message_count}"
            raise BagError(path, fault, "record the take again")
        writer.write(copies[topic], last, data)


def _custom_data(take: Take, sensor: str) -> Mapping[str, str]:
    custom = {GLOSS: take.gloss, TAKE: str(take.number), STATUS: KEEP, SENSOR: sensor}
    return {key: value for key, value in (custom | {SIGNER: take.signer}).items() if value}


def _writer(folder: Path) -> Writer:
    return Writer(folder, version=METADATA_VERSION, storage_plugin=StoragePlugin.MCAP)


@contextmanager
def _synced(folder: Path) -> Iterator[None]:
    """Sync the files of a folder to disk if the block succeeds."""
    yield
    for file in folder.iterdir():
        with file.open("rb") as stream:
            os.fsync(stream.fileno())


def _unwritable(path: Path, error: OSError) -> BagError:
    return BagError(path, f"cannot be written ({error.strerror or error})")
