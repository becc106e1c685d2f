# SPDX-License-Identifier: MIT
"""MP4 files as phones write them: rotated, and with images at uneven intervals."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

INSIDE = (b"moov", b"trak", b"mdia", b"minf", b"stbl")  # boxes that hold boxes
MATRIX = 40  # bytes before the matrix of a track's header
TURNED = (0, 1, 0, -1, 0, 0, 0, 0, 1)  # by a quarter to the right when shown


def turned(path: Path) -> None:
    """Mark a file for display with a rotation of 90 degrees clockwise."""
    one = [2 if place % 3 == 2 else 0 for place in range(9)]
    matrix = struct.pack(">9i", *(v << (30 if f else 16) for v, f in zip(TURNED, one)))
    _rewrite(path, {b"tkhd": lambda body: body[:MATRIX] + matrix + body[MATRIX + 36 :]})


def uneven(path: Path, steps: Sequence[int]) -> None:
    """Set the duration of each image, in the file's time units."""

    def times(body: bytes) -> bytes:
        step = struct.unpack(">I", body[12:16])[0]
        entries = b"".join(struct.pack(">II", 1, step * each) for each in steps)
        return body[:4] + struct.pack(">I", len(steps)) + entries

    _rewrite(path, {b"stts": times})


def _rewrite(path: Path, changes: dict[bytes, Callable[[bytes], bytes]]) -> None:
    path.write_bytes(_rebuilt(path.read_bytes(), changes))


def _rebuilt(data: bytes, changes: dict[bytes, Callable[[bytes], bytes]]) -> bytes:
    out = b""
    while data:
        size, kind = struct.unpack(">I4s", data[:8])
        body, data = data[8:size], data[size:]
        if kind == b"edts":  # its list of edits has the old duration
            kind = b"free"
        elif kind in INSIDE:
            body = _rebuilt(body, changes)
        elif kind in changes:
            body = changes[kind](body)
        out += struct.pack(">I4s", len(body) + 8, kind) + body
    return out
