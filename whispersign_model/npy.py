# SPDX-License-Identifier: MIT
"""Read NumPy's files, ``.npy`` and ``.npz``, after comparing their headers with their sizes."""

from __future__ import annotations

import ast
import math
import sys
import zipfile
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whispersign_model.files import MEGABYTE

MAGIC = b"\x93NUMPY"
HEADER_BYTES = 4096
KINDS = "biufSU"  # numbers and text: no objects, structures or dates
MEMBER_BYTES = 4096 * MEGABYTE
SMALL_MEMBER = 64 * MEGABYTE  # may be compressed to any degree
MOST_COMPRESSED = 100  # times; hands compress 2 to 4 times

Array = NDArray[Any]


class Header(NamedTuple):
    """The header of an ``.npy`` file: shape, element type, order, and number of bytes before."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    offset: int

    @property
    def size(self) -> int:
        """The number of bytes of the elements."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(stream: IO[bytes]) -> Header:
    """Read the header of an ``.npy`` file.

    Raises:
        ValueError: the header is damaged, or the elements are neither numbers nor text.
    """
    start = stream.read(len(MAGIC) + 2)
    if not start.startswith(MAGIC) or start[-2:-1] not in (b"\x01", b"\x02", b"\x03"):
        raise ValueError("it does not begin as an .npy file")
    width = 2 if start[-2] == 1 else 4
    length = int.from_bytes(stream.read(width), "little")
    if length > HEADER_BYTES:
        raise ValueError(f"its header is {length} bytes long")
    text = stream.read(length)
    try:
        entry = ast.literal_eval(text.decode("latin1").strip())
        shape, kind, fortran = entry["shape"], entry["descr"], entry["fortran_order"]
        whole = all(isinstance(size, int) and size >= 0 for size in shape)
        dtype = np.dtype(kind) if isinstance(kind, str) else None
    except Exception as error:  # the parser of literals raises almost any type
        raise ValueError(f"its header is damaged ({type(error).__name__})") from error
    if not whole or not isinstance(shape, tuple):
        raise ValueError(f"its header has the shape {shape}")
    if dtype is None or dtype.kind not in KINDS or dtype.shape:
        raise ValueError(f"its elements are {kind}, not numbers or text")
    return Header(shape, dtype, bool(fortran), len(start) + width + length)


def load_npy(path: Path, mode: Literal["r"] | None = None) -> Array:
    """Read or memory-map a regular ``.npy`` file; see ``numpy.load``.

    Raises:
        OSError: the file cannot be read.
        ValueError: the header is damaged, or promises more than the file holds.
    """
    with path.open("rb") as stream:
        header = read_header(stream)
        held = path.stat().st_size - header.offset
    if header.size > held:
        raise ValueError(f"it holds {held} bytes where its header promises {header.size}")
    try:
        return np.asanyarray(np.load(path, mmap_mode=mode, allow_pickle=False))
    except SystemError:  # Python 3.11's parser occasionally fails once after a fork
        return np.asanyarray(np.load(path, mmap_mode=mode, allow_pickle=False))


class NpzFile:
    """The arrays of an ``.npz`` file; reading one checks its size before memory is taken."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

    @property
    def names(self) -> list[str]:
        """The names of the arrays."""
        return list(self._members)

    def read(self, name: str) -> Array:
        """Read one array.

        Raises:
            ValueError: the array is too large, is compressed to a degree that no data reach, or
                does not have the size that its header promises.
            Exception: the archive is damaged; ``zipfile`` and ``zlib`` raise many types.
        """
        info = self._members[name]
        bound = max(SMALL_MEMBER, MOST_COMPRESSED * info.compress_size)
        if info.file_size > min(bound, MEMBER_BYTES):
            raise ValueError(
                f"key '{name}' expands from {info.compress_size} to {info.file_size} bytes"
            )
        with self._archive.open(info) as stream:
            header = read_header(stream)
            if header.offset + header.size != info.file_size:
                raise ValueError(
                    f"key '{name}' holds {info.file_size - header.offset} bytes where its header "
                    f"promises {header.size}"
                )
            array = np.empty(header.shape, header.dtype, order="F" if header.fortran else "C")
            target = array.reshape(-1, order="A").view(np.uint8).data if array.size else b""
            filled = 0
            while filled < len(target):
                block = stream.read(min(MEGABYTE, len(target) - filled))
                if not block:
                    raise ValueError(f"key '{name}' ends too early")
                target[filled : filled + len(block)] = block  # type: ignore[index]
                filled += len(block)
            stream.read(1)  # the end: zipfile compares the checksum
        if array.dtype.kind == "U" and array.size:
            letters = array.reshape(-1, order="A").view(array.dtype.byteorder + "u4")
            if letters.max() > sys.maxunicode:
                raise ValueError(f"key '{name}' holds numbers that are no characters")
        return array
