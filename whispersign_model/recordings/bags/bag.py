# SPDX-License-Identifier: MIT
"""Read and write rosbag2 recordings (mcap and sqlite3) without ROS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from heapq import merge
from itertools import accumulate, chain, islice, repeat
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer

from whispersign_model.errors import BagError
from whispersign_model.recordings.atomic import bag_name, safe_name, whole_folder
from whispersign_model.recordings.bags import messages as ros
from whispersign_model.recordings.bags.compression import decompress_message
from whispersign_model.recordings.bags.files import (
    check_sqlite_path,
    open_storage,
    read_metadata,
    readable_file,
    storage_files,
)
from whispersign_model.recordings.bags.recovery import RECOVER_HINT
from whispersign_model.recordings.bags.storage import StorageFile
from whispersign_model.recordings.bags.topics import (
    ANNOTATION,
    FILTERED,
    RAW,
    channels_to_read,
    check_counts,
    choose_annotation,
    choose_hands,
    damage_told,
)
from whispersign_model.recordings.frame_buffer import Frames, gather_frames
from whispersign_model.recordings.recording import Coordinates, Recording
from whispersign_model.recordings.spelling import normalized
from whispersign_model.temporary import temporary_folder
from whispersign_model.timestamps import NANOSECONDS

STORAGES = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}
METADATA_VERSION: Literal[8] = 8  # version of metadata.yaml: the newest that Humble can read
SPLIT, SIGNER = "split", "signer"  # keys in the metadata's custom_data
FRAME_ID = "frame_id"  # key of Recording.meta; stored in the messages, not in custom_data
DEPTHS = {ros.HAND_FRAME: 10, ros.GLOSS_ANNOTATION: 50}  # QoS depths of our publishers
BATCH = 1024  # number of messages converted to arrays at once


def read_bag(
    path: Path | str,
    topic: str | None = None,
    *,
    prefer: Sequence[str] = (FILTERED, RAW),
    recover: bool = False,
    scratch: Path | None = None,
) -> Recording:
    """Read one recording from a rosbag2 folder, or a single ``.mcap`` or ``.db3`` file.

    Frames keep their order of arrival and their capture times (``header.stamp``). Labels come from
    the topic ``annotation``. The signer and the split come from there or from ``custom_data`` in
    the metadata, whose other keys become ``Recording.meta``.

    Args:
        path: the bag.
        topic: topic of the frames. A topic with exactly this name wins; otherwise the name matches
            in any namespace.
        prefer: topics to try, in order, if ``topic`` is not given; the first one with messages is
            read.
        recover: read as much as possible of a file whose recorder was killed, instead of rejecting
            it.
        scratch: folder on a disk with room for the frames, at 680 bytes each. They are stored there
            and memory-mapped, so that memory use does not grow with the bag.

    Raises:
        BagError: a file or topic is missing, damaged, truncated or ambiguous, its message
            definition differs from ours, or it holds fewer or more messages than the bag states.
            The message names it.
    """
    path = Path(path)
    try:
        metadata = read_metadata(path)
    except BagError:
        if not recover:
            raise
        metadata = None
    files = storage_files(path, metadata, recover)
    annotations: list[Any] = []
    with ExitStack() as stack:
        with damage_told(path):
            copies = stack.enter_context(temporary_folder(parent=scratch))
            opened = _open(path, files, recover, copies, stack)
        channels = [channel for storage in opened.values() for channel in storage.channels]
        hands = choose_hands(path, channels, (topic,) if topic else prefer)
        labels = choose_annotation(path, channels, hands)
        frames = _messages(path, opened, hands, labels, annotations, recover)
        recording = _assemble(path, hands, frames, annotations, scratch)
    if metadata is None:
        return recording
    if not recover and (path.is_dir() or len(metadata.files) == 1):
        check_counts(path, metadata, (hands, len(recording)), (labels, len(annotations)))
    return _with_custom_data(recording, metadata.custom)


def _open(
    path: Path, files: list[Path], recover: bool, copies: Path, stack: ExitStack
) -> dict[Path, StorageFile]:
    """Open the storage files of a bag in order."""
    opened = {}
    for file in files:
        storage = open_storage(readable_file(file, copies, recover))
        stack.callback(storage.close)
        if storage.fault and not recover:
            raise BagError(file, storage.fault, RECOVER_HINT)
        opened[file] = storage
    return opened


def _messages(
    path: Path,
    opened: dict[Path, StorageFile],
    hands: str,
    labels: str | None,
    annotations: list[Any],
    recover: bool,
) -> Iterator[Any]:
    """Yield the HandFrame objects of all files; append their annotations to the list."""
    store = ros.typestore()
    for file, storage in opened.items():
        wanted = channels_to_read(path, storage.channels, hands, labels)
        read: Counter[int] = Counter()
        with damage_told(path):
            for channel, data in storage.messages(wanted) if wanted else ():
                message = store.deserialize_cdr(decompress_message(data), channel.msgtype)
                read[channel.id] += 1
                if channel.topic == hands:
                    yield message
                else:
                    annotations.append(message)
        for channel in wanted:
            if read[channel.id] != channel.stated and not recover:
                found = f"holds {read[channel.id]} messages of {channel.topic}"
                raise BagError(file, f"{found} where it states {channel.stated}", RECOVER_HINT)


def _assemble(
    path: Path, topic: str, messages: Iterator[Any], annotations: list[Any], scratch: Path | None
) -> Recording:
    """Convert the messages to arrays, in memory or in ``scratch``."""
    first = next(messages, None)
    frames = gather_frames(_batches(path, topic, messages, first), scratch)
    start, end = (int(f(frames.stamps)) if first else 0 for f in (np.min, np.max))
    segments, discarded = ros.read_annotations(annotations, start, end)
    for span in (*((segment.start, segment.end) for segment in segments), *discarded):
        if span[1] < span[0]:
            raise BagError(
                path, f"an annotation ends {(span[0] - span[1]) / NANOSECONDS:g} s before it starts"
            )
    frame_id = first.header.frame_id if first else ros.DEFAULT_FRAME_ID
    return Recording(
        stamps=frames.stamps,
        positions=frames.positions,
        confidence=frames.confidence,
        segments=segments,
        name=safe_name(bag_name(path)),
        signer="+".join(sorted({normalized(str(label.signer)) for label in annotations} - {""})),
        source=first.source if first else "",
        coordinates=_coordinates(path, first),
        smoothing=first.smoothing if first else "",
        discarded=discarded,
        untrackable=frames.untrackable,
        meta={} if frame_id == ros.DEFAULT_FRAME_ID else {FRAME_ID: frame_id},
    )


def _batches(path: Path, topic: str, messages: Iterator[Any], first: Any) -> Iterator[Frames]:
    """Yield the messages, starting with ``first``, as arrays of up to ``BATCH`` frames."""
    messages = chain([first] if first else [], messages)
    while batch := list(islice(messages, BATCH)):
        for attribute in ("coordinates", "smoothing"):
            kinds = {getattr(message, attribute) for message in (first, *batch)}
            if len(kinds) > 1:
                raise BagError(
                    path,
                    f"topic {topic} mixes frames whose {attribute} are {sorted(kinds)}",
                    "record one source at a time",
                )
        yield ros.read_frames(batch)


def _coordinates(path: Path, first: Any) -> Coordinates:
    if first is None:
        return Coordinates.UNKNOWN
    try:
        return Coordinates(first.coordinates)
    except ValueError as error:
        raise BagError(
            path, f"coordinates are {first.coordinates}, which is not a known value"
        ) from error


def _with_custom_data(recording: Recording, custom: dict[str, str]) -> Recording:
    meta = {key: value for key, value in custom.items() if key not in (SPLIT, SIGNER)}
    return replace(
        recording,
        split=custom.get(SPLIT, ""),
        signer=recording.signer or normalized(custom.get(SIGNER, "")),
        meta=recording.meta | meta,
    )


class BagWriter:
    """Writes a bag with rosbags; it appears complete when the ``with`` block succeeds.

    The topics are ``/hands/raw`` (``/hands/filtered`` for a smoothed recording) and
    ``/annotation``. The log time of a message is its capture time, moved forward where stamps
    repeat or step back so that readers keep the order. A bag can hold several recordings in
    sequence: each starts a new stream (``sequence`` 0), and reading joins them.

    Raises:
        BagError: the bag already exists or cannot be written.
    """

    def __init__(self, path: Path | str, storage: str = "mcap") -> None:
        if storage not in STORAGES:
            raise BagError(path, f"storage '{storage}' is unknown", f"use {' or '.join(STORAGES)}")
        self.path = Path(path)
        self._storage = STORAGES[storage]
        self._stack = ExitStack()
        self._writer: Writer
        self._connections: dict[str, Connection] = {}
        self._clock = -1  # log time of the last message

    def __enter__(self) -> BagWriter:
        with ExitStack() as stack:
            if self._storage == StoragePlugin.SQLITE3:
                check_sqlite_path(self.path)
            folder = stack.enter_context(whole_folder(self.path, BagError))
            folder.rmdir()  # rosbags creates this folder
            self._writer = stack.enter_context(
                Writer(folder, version=METADATA_VERSION, storage_plugin=self._storage)
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def write(self, recording: Recording) -> None:
        """Append a recording: its frames in order of arrival, and its labels.

        Raises:
            BagError: a stamp does not fit a ROS time.
        """
        stamps = recording.stamps
        if len(stamps) and not (
            ros.SECONDS.start <= stamps.min() // NANOSECONDS
            and stamps.max() // NANOSECONDS < ros.SECONDS.stop
        ):
            raise BagError(self.path, "a stamp does not fit a ROS time (32 bits of seconds)")
        custom = recording.meta | {SPLIT: recording.split, SIGNER: recording.signer}
        for key, value in custom.items():
            if value and key != FRAME_ID:
                self._writer.set_custom_data(key, value)
        frames = self._connection(FILTERED if recording.smoothing else RAW, ros.HAND_FRAME)
        # Strictly increasing: the running maximum of the stamps, with steps of at least 1 ns.
        steps = np.arange(len(stamps), dtype=np.int64)
        times = np.maximum.accumulate(np.maximum(stamps, self._clock + 1) - steps) + steps
        entries = [zip(times.tolist(), repeat(frames), ros.write_frames(recording))]
        annotations = list(ros.write_annotations(recording))
        if annotations:
            labels = self._connection(ANNOTATION, ros.GLOSS_ANNOTATION)
            ends = (ros.nanoseconds(annotation.end_time) for annotation in annotations)
            logged = accumulate((max(end, self._clock + 1) for end in ends), max)
            entries.append(zip(logged, repeat(labels), annotations))
        for time, connection, message in merge(*entries, key=itemgetter(0)):
            data = ros.typestore().serialize_cdr(message, connection.msgtype)
            self._writer.write(connection, time, data)
            self._clock = time

    def _connection(self, topic: str, message_type: str) -> Connection:
        if topic not in self._connections:
            self._connections[topic] = add_connection(self._writer, f"/{topic}", message_type)
        return self._connections[topic]


def add_connection(writer: Writer, topic: str, message_type: str) -> Connection:
    """Add a topic to a bag, with its type definition and the QoS of our publishers."""
    ours = message_type in (ros.HAND_FRAME, ros.GLOSS_ANNOTATION)
    store = ros.typestore()
    return writer.add_connection(
        topic,
        message_type,
        msgdef=(
            ros.definition_text(message_type) if ours else store.generate_msgdef(message_type, 2)[0]
        ),
        rihs01=store.hash_rihs01(message_type),
        offered_qos_profiles=[_quality(DEPTHS.get(message_type, 5))],
    )


def write_bag(path: Path | str, recording: Recording, storage: str = "mcap") -> None:
    """Write one recording as a bag, atomically; see ``BagWriter``.

    Raises:
        BagError: the bag already exists or cannot be written.
    """
    with BagWriter(path, storage) as bag:
        bag.write(recording)


def _quality(depth: int) -> Qos:
    """Return the QoS of our publishers: reliable, volatile, keep the last ``depth`` messages."""
    forever = QosTime(9223372036, 854775807)
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=depth,
        reliability=QosReliability.RELIABLE,
        durability=QosDurability.VOLATILE,
        deadline=forever,
        lifespan=forever,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=forever,
        avoid_ros_namespace_conventions=False,
    )
