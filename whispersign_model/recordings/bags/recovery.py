# SPDX-License-Identifier: MIT
"""Recover a bag file that its recorder left open, so that all of it can be read.

A killed ``ros2 bag record`` leaves an mcap file without an end and possibly with a partial record.
A sqlite3 file may have a journal beside it that holds the last messages.
"""

import os
import shutil
import sqlite3
import stat
import struct
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from whispersign_model.errors import BagError

# The mcap format: https://mcap.dev/spec. A record is an opcode, its length and its content.
MAGIC = b"\x89MCAP0\r\n"
HEADER, FOOTER, CHUNK, DATA_END = 0x01, 0x02, 0x06, 0x0F
SUMMARY = frozenset({0x02, 0x0D, 0x0E, 0x0B, DATA_END})  # records after the data section
_RECORD = struct.Struct("<BQ")
_CHUNK = struct.Struct("<QQQI")  # start time, end time, uncompressed size, checksum
_BLOCK = 1 << 20
_END = 1 << 62  # a position beyond any file
SMALL_CHUNK = 64 << 20  # bytes; may be compressed to any degree
MOST_COMPRESSED = 100  # times
_SQLITE = b"SQLite format 3\0"
SQLITE_JOURNALS = ("-wal", "-journal")
CUT = "ends too early: the recorder was killed, or the copy is incomplete"
RECOVER_HINT = "`whispersign convert --recover` reads the complete part"


def is_closed_mcap(path: Path) -> bool:
    """Return whether an mcap file has been closed properly.

    Raises:
        BagError: the file is not an mcap file.
    """
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
        if not MAGIC.startswith(start):
            raise BagError(path, "is not an mcap file")
        size = file.seek(0, 2)
        if size < 2 * len(MAGIC):
            return False
        file.seek(-len(MAGIC), 2)
        end: bytes = file.read()
    return end == MAGIC


def check_chunks(path: Path) -> None:
    """Reject an mcap file with a chunk that expands to a degree that no recording reaches.

    Raises:
        BagError: a chunk states such a size.
    """
    with path.open("rb") as file:
        file.seek(len(MAGIC))
        opcode, length = _next(file)
        while opcode is not None and opcode != DATA_END:
            start = file.tell()
            if opcode == CHUNK:
                head = file.read(_CHUNK.size)
                size = _CHUNK.unpack(head)[2] if len(head) == _CHUNK.size else 0
                if size > max(SMALL_CHUNK, MOST_COMPRESSED * length):
                    raise BagError(path, f"a chunk expands from {length} to {size} bytes")
            file.seek(min(start + length, _END))
            opcode, length = _next(file)


def close_mcap(source: Path, target: Path) -> None:
    """Copy the complete records of an unclosed mcap file, including its last chunk; close the copy.

    Raises:
        BagError: even the first record is incomplete.
    """
    with source.open("rb") as file, target.open("wb") as copy:
        size = source.stat().st_size
        copy.write(file.read(len(MAGIC)))
        opcode, length = _next(file)
        if opcode != HEADER or file.tell() + length > size:
            raise BagError(source, "ends within its first record", "nothing can be recovered")
        while opcode is not None and opcode not in SUMMARY:
            if file.tell() + length > size:
                if opcode == CHUNK:
                    copy.write(_shortened_chunk(file.read()))
                break
            copy.write(_RECORD.pack(opcode, length))
            _copy(file, copy, length)
            opcode, length = _next(file)
        copy.write(_RECORD.pack(DATA_END, 4) + bytes(4))
        copy.write(_RECORD.pack(FOOTER, 20) + bytes(20) + MAGIC)


def _next(file: BinaryIO) -> tuple[int | None, int]:
    head = file.read(_RECORD.size)
    return _RECORD.unpack(head) if len(head) == _RECORD.size else (None, 0)


def _copy(file: BinaryIO, copy: BinaryIO, length: int) -> None:
    while length > 0:
        block = file.read(min(length, _BLOCK))
        copy.write(block)
        length -= len(block)


def _shortened_chunk(content: bytes) -> bytes:
    """Return a chunk of the complete records in a truncated chunk, or b"" if there are none.

    A truncated chunk that is compressed cannot be read.
    """
    head = _CHUNK.size + 4 + 8  # ..., length of the compression name (0: none), data size
    if len(content) < head or content[_CHUNK.size : _CHUNK.size + 4] != bytes(4):
        return b""
    start, end, _, _ = _CHUNK.unpack_from(content)
    records = content[head:]
    whole = 0
    while whole + _RECORD.size <= len(records):
        _, length = _RECORD.unpack_from(records, whole)
        if whole + _RECORD.size + length > len(records):
            break
        whole += _RECORD.size + length
    if not whole:
        return b""
    body = _CHUNK.pack(start, end, whole, 0) + bytes(4) + struct.pack("<Q", whole) + records[:whole]
    return _RECORD.pack(CHUNK, len(body)) + body


def is_whole_sqlite(path: Path) -> bool:
    """Return whether a sqlite3 file is as long as its header says (https://sqlite.org/fileformat).

    Raises:
        BagError: the file is not a sqlite3 file.
    """
    with path.open("rb") as file:
        header = file.read(100)
    if not header.startswith(_SQLITE[: len(header)]):
        raise BagError(path, "is not a sqlite3 file")
    if len(header) < 100:
        return False
    page, pages = int.from_bytes(header[16:18], "big"), int.from_bytes(header[28:32], "big")
    return path.stat().st_size >= pages * (page if page != 1 else 1 << 16)


def has_journal(path: Path) -> bool:
    """Return whether a sqlite3 file has a journal that must be applied before reading."""
    return any(_is_there(_journal(path, suffix)) for suffix in SQLITE_JOURNALS)


def apply_journal(source: Path, target: Path) -> None:
    """Copy a sqlite3 file and its journal; SQLite makes the copy consistent.

    Raises:
        BagError: a journal is a link or not a regular file, or SQLite cannot recover it.
    """
    journals = [suffix for suffix in SQLITE_JOURNALS if _is_there(_journal(source, suffix))]
    for suffix in journals:
        if not stat.S_ISREG(_journal(source, suffix).lstat().st_mode):
            fault = "is a link or not a regular file"
            raise BagError(_journal(source, suffix), fault, "remove it, or copy the bag again")
    shutil.copyfile(source, target)
    for suffix in journals:
        shutil.copyfile(_journal(source, suffix), _journal(target, suffix))
    try:
        with closing(sqlite3.connect(target)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise BagError(source, f"its journal cannot be applied ({error})") from error


def _is_there(path: Path) -> bool:
    """Return whether a path exists, even as a link to nothing."""
    return os.path.lexists(path)


def _journal(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
