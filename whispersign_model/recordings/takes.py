# SPDX-License-Identifier: MIT
"""Takes of a recording session: a bag each, which is there whole as soon as it counts."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader, StoragePlugin, Writer

from whispersign_model.errors import BagError
from whispersign_model.recordings.atomic import safe_name, whole_folder
from whispersign_model.recordings.bags.bag import METADATA_VERSION, SIGNER, add_connection
from whispersign_model.recordings.bags.files import METADATA, read_metadata
from whispersign_model.recordings.bags.topics import damage_told
from whispersign_model.recordings.labels import DISCARD, KEEP

GLOSS, TAKE, SENSOR, STATUS = "gloss", "take", "sensor", "status"  # keys of custom_data
LOCK = ".session.lock"
UNFINISHED = ".*_take[0-9]*.partial-*"  # folders that a killed session leaves


@dataclass(frozen=True)
class Take:
    """One repetition of a gloss, or of the glosses of a sentence joined by ``|``.

    Attributes:
        gloss: what was to be signed.
        number: counts the repetitions by this signer from 0, discarded ones too.
        signer: who signed, "" = unknown.
        kept: False when it went wrong.
    """

    gloss: str
    number: int
    signer: str
    kept: bool = True

    @property
    def folder(self) -> str:
        """The name of its bag."""
        words = (safe_name(word) for word in (self.gloss, self.signer) if word)
        return f"{'_'.join(words)}_take{self.number}"


def find_takes(out: Path) -> list[Take]:
    """Return the takes whose bags lie in a folder; other bags are none.

    Raises:
        BagError: the metadata of a bag there cannot be read.
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
    """Hold a folder of takes for one session, and clear away what a killed one left unfinished.

    Yields:
        how many unfinished takes were removed.

    Raises:
        BagError: the folder cannot be written, or another session holds it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with (out / LOCK).open("w") as lock:
            flock(lock, LOCK_EX | LOCK_NB)
            unfinished = list(out.glob(UNFINISHED))
            for folder in unfinished:
                shutil.rmtree(folder)
            yield len(unfinished)
    except BlockingIOError as error:
        raise BagError(out, "is in use by another session", "end it, or choose another") from error
    except OSError as error:
        raise _unwritable(out, error) from error


class TakeWriter:
    """Writes the bag of a take message by message; it appears when it is kept.

    Args:
        out: the folder of takes.
        take: which one.

    Raises:
        BagError: the bag cannot be written, or is there already. What was written is gone then.
    """

    def __init__(self, out: Path, take: Take) -> None:
        self.path = out / take.folder
        self.take = take
        self._connections: dict[str, Connection] = {}
        self._clock = 0
        with ExitStack() as stack:
            folder = stack.enter_context(whole_folder(self.path, BagError))
            folder.rmdir()  # rosbags makes it
            stack.enter_context(_synced(folder))
            self._writer = stack.enter_context(_writer(folder))
            self._stack = stack.pop_all()

    def write(self, topic: str, message_type: str, data: bytes, time: int) -> None:
        """Append a message as it came: its CDR bytes, and the time it came at."""
        self._clock = max(time, self._clock)
        try:
            if topic not in self._connections:
                self._connections[topic] = add_connection(self._writer, topic, message_type)
            self._writer.write(self._connections[topic], self._clock, data)
        except OSError as error:
            self.drop()
            raise _unwritable(self.path, error) from error

    def keep(self, sensor: str) -> None:
        """Close the bag, which is on the disk from then on.

        Args:
            sensor: the source of the frames.
        """
        for key, value in _custom_data(self.take, sensor).items():
            self._writer.set_custom_data(key, value)
        self._stack.__exit__(None, None, None)

    def drop(self) -> None:
        """Leave nothing behind."""
        with suppress(BagError):  # of a full disk, whose last bytes are not wanted any more
            self._stack.__exit__(_DroppedError, _DroppedError(), None)


class _DroppedError(Exception):
    """Ends a bag that is not to be kept."""


def discard_take(out: Path, take: Take, topic: str, message_type: str, data: bytes) -> None:
    """Append to a kept take's bag the annotation that it went wrong.

    Raises:
        BagError: the bag cannot be read or written; it is as before then.
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
        assert metadata is not None  # the reader needs one too
        for key, value in (metadata.custom | {STATUS: DISCARD}).items():
            writer.set_custom_data(key, value)
        copies = {c.topic: add_connection(writer, c.topic, c.msgtype) for c in reader.connections}
        if topic not in copies:
            copies[topic] = add_connection(writer, topic, message_type)
        last = 0
        for connection, time, content in reader.messages():
            writer.write(copies[connection.topic], time, content)
            last = time
        writer.write(copies[topic], last, data)


def _custom_data(take: Take, sensor: str) -> Mapping[str, str]:
    custom = {GLOSS: take.gloss, TAKE: str(take.number), STATUS: KEEP, SENSOR: sensor}
    return {key: value for key, value in (custom | {SIGNER: take.signer}).items() if value}


def _writer(folder: Path) -> Writer:
    return Writer(folder, version=METADATA_VERSION, storage_plugin=StoragePlugin.MCAP)


@contextmanager
def _synced(folder: Path) -> Iterator[None]:
    """At a good end, wait until the files of a folder are on the disk."""
    yield
    for file in folder.iterdir():
        with file.open("rb") as stream:
            os.fsync(stream.fileno())


def _unwritable(path: Path, error: OSError) -> BagError:
    return BagError(path, f"cannot be written ({error.strerror or error})")
