# SPDX-License-Identifier: MIT
"""Read the mcap files of rosbag2 and of other recorders (https://mcap.dev/spec).

The data section decides which messages there are. The indexes only help to skip chunks, and only
where they agree with the file's statistics.
"""

import io
import struct
from binascii import crc32
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, NamedTuple

from whispersign_model.recordings.bags.compression import Expansion, decompress_chunk
from whispersign_model.recordings.bags.recovery import CHUNK, FOOTER, HEADER, MAGIC
from whispersign_model.recordings.bags.storage import Channel, definition

SCHEMA, CHANNEL, MESSAGE, CHUNK_INDEX, STATISTICS = 0x03, 0x04, 0x05, 0x08, 0x0B
_RECORD = struct.Struct("<BQ")  # opcode, length of the content
_MESSAGE = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
_CHUNK = struct.Struct("<QQQI")  # start time, end time, uncompressed size, checksum
_STATISTICS = struct.Struct("<QHIIIIQQ")
_COUNT = struct.Struct("<HQ")  # channel, number of messages (or offset)
_FOOTER_SIZE = _RECORD.size + 20
_INDEX_HEAD, _INDEX_ENTRY = 15, 16  # bytes of a message index without entries, and of an entry


class _Statistics(NamedTuple):
    messages: int
    channels: int
    chunks: int
    counts: dict[int, int]  # by channel; empty if unknown


class _Place(NamedTuple):
    """The content of a record."""

    opcode: int
    offset: int
    length: int


class _Fields:
    """Reads the fields of a record in order."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._offset = 0

    def number(self, kind: str) -> int:
        (value,) = struct.unpack_from(f"<{kind}", self._content, self._offset)
        self._offset += struct.calcsize(f"<{kind}")
        return int(value)

    def data(self, kind: str = "I") -> bytes:
        """Return bytes that follow their length."""
        length = self.number(kind)
        if length > len(self._content) - self._offset:
            raise ValueError("a field goes beyond its record")
        self._offset += length
        return self._content[self._offset - length : self._offset]

    def text(self) -> str:
        return self.data().decode()

    def pairs(self) -> dict[int, int]:
        """Return a map from 16-bit channels to 64-bit numbers."""
        return dict(_COUNT.iter_unpack(self.data()))


def _records(file: BinaryIO, start: int, end: int) -> Iterator[_Place]:
    """Yield the records between two offsets.

    Raises:
        ValueError: a record goes beyond the end.
    """
    while start < end:
        file.seek(start)
        opcode, length = _RECORD.unpack(file.read(_RECORD.size))
        start += _RECORD.size
        if length > end - start:
            raise ValueError(f"the record at byte {start - _RECORD.size} is incomplete")
        yield _Place(opcode, start, length)
        start += length


def _content(file: BinaryIO, place: _Place) -> bytes:
    file.seek(place.offset)
    return file.read(place.length)


class McapFile:
    """An open mcap file; see :class:`~whispersign_model.recordings.bags.storage.StorageFile`.

    Raises:
        ValueError, struct.error, UnicodeDecodeError: the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._schemas: dict[int, tuple[str, str, str]] = {}  # name, encoding, definition
        self._channels: dict[int, tuple[int, str, str]] = {}  # schema, topic, encoding
        self._indexed: dict[int, dict[int, int]] = {}  # messages by chunk's offset and channel
        self._statistics: _Statistics | None = None
        self._expansion = Expansion(path.stat().st_size)
        self.fault = ""
        try:
            self._start, self._end, summary = self._sections()
            for place in _records(self._file, *summary):
                self._note(place.opcode, _content(self._file, place))
            counts = self._stated_counts()
            self.channels = [self._channel(number, counts) for number in sorted(self._channels)]
        except BaseException:
            self.close()
            raise

    def _sections(self) -> tuple[int, int, tuple[int, int]]:
        """Return the start and end of the data section, and those of the summary."""
        file = self._file
        size = file.seek(0, 2)
        file.seek(size - len(MAGIC) - _FOOTER_SIZE)
        opcode, length, summary, _, _, magic = struct.unpack("<BQQQI8s", file.read())
        if (opcode, length, magic) != (FOOTER, 20, MAGIC):
            raise ValueError("its end is not that of an mcap file")
        end = size - len(MAGIC) - _FOOTER_SIZE
        header = next(_records(file, len(MAGIC), end), None)
        if header is None or header.opcode != HEADER:
            raise ValueError("it does not start with a header")
        start = header.offset + header.length
        if summary and not start <= summary <= end:
            raise ValueError("its summary lies outside the file")
        return start, summary or end, (summary or end, end)

    def _note(self, opcode: int, content: bytes) -> None:
        """Keep the content of a record of the summary, or of a schema or channel anywhere."""
        fields = _Fields(content)
        if opcode == SCHEMA:
            number = fields.number("H")
            text = fields.text(), fields.text(), fields.data().decode(errors="replace")
            self._schemas[number] = text
        elif opcode == CHANNEL:
            number, schema = fields.number("H"), fields.number("H")
            self._channels[number] = schema, fields.text(), fields.text()
        elif opcode == CHUNK_INDEX:
            self._note_index(fields)
        elif opcode == STATISTICS:
            messages, _, channels, _, _, chunks, _, _ = _STATISTICS.unpack_from(content)
            counts = _Fields(content[_STATISTICS.size :]).pairs()
            self._statistics = _Statistics(messages, channels, chunks, counts)

    def _note_index(self, fields: _Fields) -> None:
        """Derive the number of messages of each channel from the sizes of the message indexes."""
        _, _, offset, length = (fields.number("Q") for _ in range(4))
        starts = sorted((start, channel) for channel, start in fields.pairs().items())
        ends = [start for start, _ in starts[1:]] + [offset + length + fields.number("Q")]
        self._indexed[offset + _RECORD.size] = {
            channel: (end - start - _INDEX_HEAD) // _INDEX_ENTRY
            for (start, channel), end in zip(starts, ends)
        }

    def _stated_counts(self) -> Mapping[int, int]:
        """Return the number of messages of each channel: the statistics', or else by counting."""
        stated = self._statistics
        known = stated is not None and len(self._channels) >= stated.channels
        schemas = {schema for schema, _, _ in self._channels.values()} - {0}
        if stated and stated.counts and known and schemas <= self._schemas.keys():
            return stated.counts
        counts: Counter[int] = Counter()
        for stream, place in self._all_records():
            if place.opcode in (SCHEMA, CHANNEL):
                self._note(place.opcode, _content(stream, place))
            elif place.opcode == MESSAGE:
                counts[self._head(stream, place)[0]] += 1
        if stated and not stated.counts and counts.total() != stated.messages:
            self.fault = (
                f"holds {counts.total()} messages where its statistics say {stated.messages}"
            )
        return (stated.counts if stated else {}) or counts

    def _channel(self, number: int, counts: Mapping[int, int]) -> Channel:
        schema, topic, encoding = self._channels[number]
        kind, form, text = self._schemas.get(schema, ("", "", ""))
        stated = counts.get(number, 0)
        return Channel(number, topic, kind, encoding, definition(form, text), stated=stated)

    def _all_records(self) -> Iterator[tuple[BinaryIO, _Place]]:
        """Yield the records of the data section, with those inside chunks in place of the chunk."""
        self._expansion.reset()
        for place in _records(self._file, self._start, self._end):
            if place.opcode == CHUNK:
                yield from self._inside(place)
            else:
                yield self._file, place

    def _inside(self, place: _Place) -> Iterator[tuple[BinaryIO, _Place]]:
        """Yield the records inside a chunk."""
        stream = self._chunk(place)
        for inner in _records(stream, 0, len(stream.getbuffer())):
            self._expansion.add(records=1)
            yield stream, inner

    def _chunk(self, place: _Place) -> io.BytesIO:
        content = _content(self._file, place)
        _, _, size, checksum = _CHUNK.unpack_from(content)
        self._expansion.add(size=size)
        fields = _Fields(content[_CHUNK.size :])
        compression = fields.text()
        data = decompress_chunk(fields.data("Q"), compression, size)
        if checksum and crc32(data) != checksum:
            raise ValueError(f"the chunk at byte {place.offset} has another checksum")
        return io.BytesIO(data)

    @staticmethod
    def _head(stream: BinaryIO, place: _Place) -> tuple[int, int]:
        """Return the channel and the log time of a message."""
        stream.seek(place.offset)
        channel, _, time, _ = _MESSAGE.unpack(stream.read(_MESSAGE.size))
        return channel, time

    def messages(self, wanted: Sequence[Channel]) -> Iterator[tuple[Channel, bytes]]:
        """Yield the messages of some channels in the order of their log times.

        Without an index (after a killed recorder, or with the preset "fastwrite"), the order is
        that of the file.
        """
        channels = {channel.id: channel for channel in wanted}
        if self._indexed:
            for _, number, data in self._in_order(channels.keys()):
                if number is not None:
                    yield channels[number], data
            return
        for stream, place in self._all_records():
            if place.opcode == MESSAGE:
                number, _ = self._head(stream, place)
                if number in channels:
                    yield channels[number], stream.read(place.length - _MESSAGE.size)

    def _in_order(self, numbers: Container[int]) -> Iterator[tuple[int, int | None, bytes]]:
        """Yield log time, channel and data; open a chunk only when its first message is due."""
        self._expansion.reset()
        skippable = self._index_is_complete(numbers)
        chunks, loose = [], []
        for place in _records(self._file, self._start, self._end):
            if place.opcode == MESSAGE:
                number, time = self._head(self._file, place)
                if number in numbers:
                    loose.append((time, number, place))
            elif place.opcode == CHUNK:
                inside = self._indexed.get(place.offset)
                if inside is None or not skippable or any(each in numbers for each in inside):
                    chunks.append(place)
        loose.sort(key=itemgetter(0))
        outside = ((time, number, self._data(self._file, place)) for time, number, place in loose)
        inside_chunks = (self._of_chunk(place, numbers) for place in chunks)
        return merge(outside, *inside_chunks, key=itemgetter(0))

    def _index_is_complete(self, numbers: Container[int]) -> bool:
        """Return whether the indexes list as many messages as the statistics."""
        stated = self._statistics
        if stated is None or len(self._indexed) != stated.chunks or not stated.counts:
            return False
        listed: Counter[int] = Counter()
        for inside in self._indexed.values():
            listed.update(inside)
        counts = {channel: count for channel, count in stated.counts.items() if channel in numbers}
        return all(listed[channel] == count for channel, count in counts.items())

    def _of_chunk(
        self, place: _Place, numbers: Container[int]
    ) -> Iterator[tuple[int, int | None, bytes]]:
        """Yield the chunk's start time, and then its messages in the order of their log times."""
        self._file.seek(place.offset)
        yield _CHUNK.unpack(self._file.read(_CHUNK.size))[0], None, b""
        found = []
        for stream, inner in self._inside(place):
            if inner.opcode == MESSAGE:
                number, time = self._head(stream, inner)
                if number in numbers:
                    found.append((time, number, stream, inner))
        for time, number, stream, inner in sorted(found, key=itemgetter(0)):
            yield time, number, self._data(stream, inner)

    @staticmethod
    def _data(stream: BinaryIO, place: _Place) -> bytes:
        stream.seek(place.offset + _MESSAGE.size)
        return stream.read(place.length - _MESSAGE.size)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
