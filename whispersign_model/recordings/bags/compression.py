# SPDX-License-Identifier: MIT
"""Decompress bags: whole storage files, chunks of mcap files, and single messages."""

import shutil
import sys
from pathlib import Path

from lz4.frame import LZ4FrameDecompressor

from whispersign_model.errors import BagError
from whispersign_model.recordings.bags.recovery import CUT, RECOVER_HINT

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LARGEST_CHUNK = 1 << 29  # bytes of an uncompressed chunk; rosbag2's default is 768 kB
LARGEST_MESSAGE = 1 << 24  # bytes of an uncompressed message; our messages are below 2 kB
_MAGIC = b"\x28\xb5\x2f\xfd"  # first bytes of a zstd frame; a CDR message starts with a zero


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
        ValueError: the message is larger than ``LARGEST_MESSAGE``.
        zstd.ZstdError: the bytes are damaged.
    """
    if not data.startswith(_MAGIC):
        return data
    data = _zstd(data, LARGEST_MESSAGE + 1)
    if len(data) > LARGEST_MESSAGE:
        raise ValueError("a compressed message is too large")
    return data


def _zstd(data: bytes, largest: int) -> bytes:
    """Decompress zstd frames up to a number of bytes."""
    content = b""
    while data and len(content) < largest:
        frame = zstd.ZstdDecompressor()
        content += frame.decompress(data, largest - len(content))
        data = frame.unused_data if frame.eof else b""
    return content


def decompress_file(source: Path, target: Path, recover: bool) -> None:
    """Decompress a storage file.

    Args:
        source: the compressed file.
        target: the file to write.
        recover: keep the beginning of a file that is truncated.

    Raises:
        BagError: the file is truncated and ``recover`` is False, or it is not compressed with zstd.
    """
    with source.open("rb") as file:
        start = file.read(len(_MAGIC))
    if not _MAGIC.startswith(start):
        raise BagError(source, "is not a zstd file", "rename it if it is not compressed")
    try:
        with zstd.open(source, "rb") as packed, target.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked)
    except EOFError as error:
        if not recover:
            raise BagError(source, CUT, RECOVER_HINT) from error
    except zstd.ZstdError as error:
        raise BagError(source, f"is damaged ({error})", "record or copy it again") from error
