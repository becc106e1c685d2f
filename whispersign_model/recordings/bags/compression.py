# SPDX-License-Identifier: MIT
"""Decompress bags: whole storage files, chunks of mcap files, and single messages."""

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from lz4.frame import LZ4FrameDecompressor

from whispersign_model.errors import BagError
from whispersign_model.recordings.bags.recovery import CUT, MOST_COMPRESSED, RECOVER_HINT

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LARGEST_CHUNK = 1 << 29  # bytes of an uncompressed chunk; rosbag2's default is 768 kB
SMALL_MESSAGE = 1 << 12  # bytes; may be compressed to any degree; our messages are below 2 kB
SMALL_FILE = 1 << 26  # bytes; may be compressed to any degree
FEW_RECORDS = 100_000  # may be compressed to any degree
BYTES_PER_RECORD = 2  # a compressed record takes more
FEW_FRAMES = 100
BYTES_PER_FRAME = 1000  # recorders write one frame for a message, chunk or file
_BLOCK = 1 << 17
_MAGIC = b"\x28\xb5\x2f\xfd"  # first bytes of a zstd frame; a CDR message starts with a zero


class Expansion:
    """Bounds what the chunks of one file expand to, over all of them, in one pass over the file.

    A real recording stays far below: hands expand 2 to 4 times, and each message differs from the
    one before it in several bytes.

    Args:
        stored: size of the file in bytes.
    """

    def __init__(self, stored: int) -> None:
        self._stored = stored
        self.reset()

    def reset(self) -> None:
        """Start another pass."""
        self._bytes = SMALL_FILE + MOST_COMPRESSED * self._stored
        self._records = FEW_RECORDS + self._stored // BYTES_PER_RECORD

    def add(self, size: int = 0, records: int = 0) -> None:
        """Count the content of a chunk.

        Raises:
            ValueError: the file expands too much.
        """
        self._bytes -= size
        self._records -= records
        if self._bytes < 0 or self._records < 0:
            what = "bytes" if self._bytes < 0 else "records"
            raise ValueError(f"a file of {self._stored} bytes expands to too many {what}")


def decompress_chunk(data: bytes, compression: str, size: int) -> bytes:
    """Decompress the content of a chunk.

    Args:
        data: the stored bytes.
        compression: "", "zstd" or "lz4".
        size: length of the content in bytes, as the chunk states it.

    Raises:
        ValueError: the compression is unknown, or the content is of another length.
    """
    if size > LARGEST_CHUNK:
        raise ValueError(f"a chunk of {size} bytes is too large")
    if compression == "zstd":
        data = _zstd(data, size)
    elif compression == "lz4":
        data = LZ4FrameDecompressor().decompress(data, max_length=size) if size else b""
    elif compression:
        raise ValueError(f"a chunk is compressed with '{compression[:20]}'")
    if len(data) != size:
        raise ValueError(f"a chunk holds {len(data)} bytes instead of {size}")
    return data


def decompress_message(data: bytes) -> bytes:
    """Return a message as CDR bytes, whether or not its recorder compressed it.

    Raises:
        ValueError: the message expands to a degree that no recording reaches.
        EOFError, zstd.ZstdError: the bytes are damaged.
    """
    if not data.startswith(_MAGIC):
        return data
    largest = max(SMALL_MESSAGE, MOST_COMPRESSED * len(data))
    return _zstd(data, largest)


def _zstd(data: bytes, largest: int) -> bytes:
    return b"".join(_pieces(BytesIO(data), len(data), largest))


def _pieces(source: BinaryIO, stored: int, largest: int) -> Iterator[bytes]:
    """Yield the content of zstd frames.

    Args:
        source: the frames.
        stored: their size in bytes.
        largest: the largest content in bytes.

    Raises:
        ValueError: the content is larger, or there are too many frames.
        EOFError: a frame is truncated.
        zstd.ZstdError: a frame is damaged.
    """
    left, frames = largest, FEW_FRAMES + stored // BYTES_PER_FRAME
    data = source.read(_BLOCK)
    while data:
        frame = zstd.ZstdDecompressor()
        while not frame.eof:
            if frame.needs_input and not data and not (data := source.read(_BLOCK)):
                raise EOFError("a zstd frame is truncated")
            piece = frame.decompress(data, _BLOCK)
            data = b""
            left -= len(piece)
            if left < 0:
                raise ValueError(f"{stored} bytes expand to more than {largest}")
            yield piece
        data = frame.unused_data or source.read(_BLOCK)
        frames -= 1
        if frames < 0:
            raise ValueError(f"{stored} bytes hold too many zstd frames")


def decompress_file(source: Path, target: Path, recover: bool) -> None:
    """Decompress a storage file.

    Args:
        source: the compressed file.
        target: the file to write.
        recover: keep the beginning of a file that is truncated.

    Raises:
        BagError: the file is truncated and ``recover`` is False, is not compressed with zstd, or
            expands to a degree that no recording reaches.
    """
    with source.open("rb") as file:
        start = file.read(len(_MAGIC))
    if not _MAGIC.startswith(start):
        raise BagError(source, "is not a zstd file", "rename it if it is not compressed")
    try:
        size = source.stat().st_size
        with source.open("rb") as packed, target.open("wb") as unpacked:
            for piece in _pieces(packed, size, max(SMALL_FILE, MOST_COMPRESSED * size)):
                unpacked.write(piece)
    except EOFError as error:
        if not recover:
            raise BagError(source, CUT, RECOVER_HINT) from error
    except (ValueError, zstd.ZstdError) as error:
        raise BagError(source, f"is damaged ({error})", "record or copy it again") from error
