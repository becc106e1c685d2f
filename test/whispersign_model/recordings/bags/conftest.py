# SPDX-License-Identifier: MIT
"""A writer of mcap files that can leave out what other writers leave out."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from whispersign_model.recordings.bags import messages

MAGIC = b"\x89MCAP0\r\n"


def _text(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<I", len(data)) + data


def _record(opcode: int, content: bytes) -> bytes:
    return struct.pack("<BQ", opcode, len(content)) + content


@dataclass
class Topic:
    """A channel with its messages as ``(log time, data)``."""

    name: str
    kind: str
    sent: list[tuple[int, bytes]]
    encoding: str = "cdr"
    schema_encoding: str = "ros2msg"
    definition: str = ""
    quality: str = ""

    @classmethod
    def of(cls, name: str, objects: list[Any], times: Any = None, **fields: Any) -> Topic:
        """Return a channel of message objects; log times count from 1 unless given."""
        kind = objects[0].__msgtype__
        store = messages.typestore()
        data = [bytes(store.serialize_cdr(each, kind)) for each in objects]
        sent = list(zip(times or range(1, len(data) + 1), data))
        return cls(name, kind, sent, **{"definition": messages.definition_text(kind)} | fields)


@dataclass
class McapParts:
    """What to write, and what to leave out.

    Attributes:
        per_chunk: messages in a chunk; 0: no chunks.
        loose: number of messages at the end that are in no chunk.
        message_index, chunk_index, summary, repeat: whether the message indexes, the chunk
            indexes, the whole summary, and the copies of schemas and channels in it are written.
        unindexed: chunks without a message index, although the others have one.
        statistics: the counts of channels, only the total, or none.
        lost: messages that the statistics count and the file lacks.
    """

    topics: list[Topic]
    profile: str = "ros2"
    per_chunk: int = 10
    loose: int = 0
    message_index: bool = True
    chunk_index: bool = True
    summary: bool = True
    repeat: bool = True
    unindexed: tuple[int, ...] = ()
    statistics: str = "counts"
    lost: int = 0
    _indexes: list[bytes] = field(default_factory=list)

    def write(self, path: Path) -> Path:
        """Write the file and return its path."""
        out = MAGIC + _record(1, _text(self.profile) + _text("test"))
        heads = self._heads()
        sent = sorted(
            (
                (time, number, data)
                for number, each in enumerate(self.topics, 1)
                for time, data in each.sent
            ),
            key=lambda entry: entry[0],
        )
        loose = sent[len(sent) - self.loose :] if self.per_chunk else sent
        if not self.per_chunk:
            out += heads
        packed = sent[: len(sent) - len(loose)]
        self._indexes = []
        for start in range(0, len(packed), self.per_chunk or 1):
            part = packed[start : start + self.per_chunk]
            out = self._chunk(out, b"" if start else heads, part)
        out += b"".join(self._message(*each) for each in loose)
        out += _record(0x0F, bytes(4))
        start = len(out) if self.summary else 0
        if self.summary:
            out += heads if self.repeat else b""
            out += b"".join(self._indexes) if self.chunk_index else b""
            out += self._statistics(sent)
        out += _record(2, struct.pack("<QQI", start, 0, 0)) + MAGIC
        path.write_bytes(out)
        return path

    def _heads(self) -> bytes:
        out = b""
        for number, topic in enumerate(self.topics, 1):
            schema = _text(topic.kind) + _text(topic.schema_encoding) + _text(topic.definition)
            out += _record(3, struct.pack("<H", number) + schema)
            quality = _text("offered_qos_profiles") + _text(topic.quality) if topic.quality else b""
            channel = _text(topic.name) + _text(topic.encoding) + _text(quality)
            out += _record(4, struct.pack("<HH", number, number) + channel)
        return out

    @staticmethod
    def _message(time: int, number: int, data: bytes) -> bytes:
        return _record(5, struct.pack("<HIQQ", number, 0, time, time) + data)

    def _chunk(self, out: bytes, heads: bytes, part: list[tuple[int, int, bytes]]) -> bytes:
        start, content = len(out), heads
        entries: dict[int, bytes] = {}
        for each in part:
            entries[each[1]] = entries.get(each[1], b"") + struct.pack("<QQ", each[0], len(content))
            content += self._message(*each)
        times = min(each[0] for each in part), max(each[0] for each in part)
        body = struct.pack("<QQQI", *times, len(content), 0) + _text("")
        out += _record(6, body + struct.pack("<Q", len(content)) + content)
        length = len(out) - start
        indexed = self.message_index and len(self._indexes) not in self.unindexed
        offsets, ends = b"", len(out)
        for number, index in entries.items() if indexed else ():
            offsets += struct.pack("<HQ", number, len(out))
            out += _record(7, struct.pack("<H", number) + _text(index))
        index = struct.pack("<QQQQ", *times, start, length) + _text(offsets)
        index += struct.pack("<Q", len(out) - ends) + _text("")
        self._indexes.append(_record(8, index + struct.pack("<QQ", len(content), len(content))))
        return out

    def _statistics(self, sent: list[tuple[int, int, bytes]]) -> bytes:
        if not self.statistics:
            return b""
        counts = b""
        for number, topic in enumerate(self.topics, 1):
            counts += struct.pack(
                "<HQ", number, len(topic.sent) + (self.lost if number == 1 else 0)
            )
        count, topics = len(sent) + self.lost, len(self.topics)
        head = struct.pack("<QHIIIIQQ", count, topics, topics, 0, 0, len(self._indexes), 0, 0)
        return _record(0x0B, head + _text(counts if self.statistics == "counts" else b""))


@pytest.fixture
def mcap() -> type[McapParts]:
    """Return the writer of mcap files."""
    return McapParts


@pytest.fixture
def topic_of() -> Any:
    """Return the function that makes a topic of message objects."""
    return Topic.of


@pytest.fixture
def topic() -> type[Topic]:
    """Return the type of a topic of raw bytes."""
    return Topic
