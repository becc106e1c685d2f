"""What an exported network says of itself, read from its ONNX file without an ONNX library.

An ONNX file is a protocol buffer, ``ModelProto``, of which two fields matter here: the graph and
the properties. Every node of the live graph reads the preprocessing recipe from there, and must not
load a runtime for that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import BinaryIO

from whispersign_model.errors import CheckpointError

SUFFIX = ".onnx"
RESCORE_SUFFIX = ".rescore.onnx"
GRAPH_VERSION = 1  # of the graphs' inputs and outputs

# Properties that the export writes. "about" is model.json, in the graph of the first pass only.
ABOUT = "whispersign"
VERSION = "whispersign_graph_version"
DIGEST = "whispersign_graph_sha256"
RESCORE_DIGEST = "whispersign_rescore_graph_sha256"

BLOCK = 1 << 20  # bytes read at a time

# Field numbers in onnx.proto, and the protocol buffers' kinds of fields.
_GRAPH, _PROPERTIES, _KEY, _VALUE = 7, 14, 1, 2
_VARINT, _EIGHT_BYTES, _DELIMITED, _FOUR_BYTES = 0, 1, 2, 5


@dataclass(frozen=True)
class OnnxFile:
    """One file as it was exported.

    Attributes:
        about: what ``model.json`` held; "" in a file that holds the rescoring.
        digest: SHA-256 of the graph.
        rescore_digest: that of the file that holds the rescoring; "" in that file itself.
    """

    about: str
    digest: str
    rescore_digest: str


def rescore_file(path: Path) -> Path:
    """Return the file that holds the second pass of the network in ``path``."""
    return path.with_suffix(RESCORE_SUFFIX)


def read_onnx_file(path: Path) -> OnnxFile:
    """Read the properties of a file and check that its graph is whole.

    Raises:
        CheckpointError: it is missing, damaged, no ONNX file, not ours, or of a newer version.
    """
    try:
        with path.open("rb") as stream:
            digest, properties = _scan(stream)
    except FileNotFoundError as error:
        raise CheckpointError(path, "does not exist", "give a file that was exported") from error
    except OSError as error:
        raise CheckpointError(path, f"cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise CheckpointError(
            path, f"is no ONNX file, or is damaged ({error})", "export or copy it again"
        ) from error
    if VERSION not in properties:
        raise CheckpointError(
            path, "is not a network of WhisperSign", "make one with `whispersign export`"
        )
    if properties[VERSION] != str(GRAPH_VERSION):
        raise CheckpointError(
            path,
            f"has graph version {properties[VERSION]}, this program reads {GRAPH_VERSION}",
            "update whispersign, or export the network again",
        )
    if properties.get(DIGEST) != digest:
        raise CheckpointError(
            path, "is damaged: its graph is not the one exported", "copy it again"
        )
    return OnnxFile(properties.get(ABOUT, ""), digest, properties.get(RESCORE_DIGEST, ""))


def graph_digest(model: bytes) -> str:
    """Return the SHA-256 of the graph in a serialised ``ModelProto``."""
    return _scan(BytesIO(model))[0]


def _scan(stream: BinaryIO) -> tuple[str, dict[str, str]]:
    """Return the graph's digest and the properties.

    Raises:
        ValueError: these bytes are no ``ModelProto``.
    """
    digest, properties = "", {}
    for field, size in _fields(stream):
        if field == _GRAPH:
            digest = _sha256(stream, size)
        elif field == _PROPERTIES:
            content = BytesIO(stream.read(size))
            entry = {number: content.read(length).decode() for number, length in _fields(content)}
            properties[entry.get(_KEY, "")] = entry.get(_VALUE, "")
    if not digest:
        raise ValueError("it holds no graph")
    return digest, properties


def _sha256(stream: BinaryIO, size: int) -> str:
    digest = hashlib.sha256()
    while size:
        block = stream.read(min(size, BLOCK))
        digest.update(block)
        size -= len(block)
    return digest.hexdigest()


def _fields(stream: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield number and size of each field that has a size, with the stream at its content.

    Raises:
        ValueError: the bytes end within a field, or make none.
    """
    end = stream.seek(0, SEEK_END)
    stream.seek(0)
    while (place := stream.tell()) < end:
        key = _varint(stream)
        kind = key & 7
        if kind == _VARINT:
            _varint(stream)
            continue
        if kind == _DELIMITED:
            size = _varint(stream)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"unknown kind of field at byte {place}")
        place = stream.tell() + size
        if place > end:
            raise ValueError("it ends too early")
        if kind == _DELIMITED:
            yield key >> 3, size
        stream.seek(place)


def _varint(stream: BinaryIO) -> int:
    """Return the number that begins here."""
    value = 0
    for shift in range(0, 64, 7):
        byte = stream.read(1)
        if not byte:
            raise ValueError("it ends too early")
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise ValueError("it holds a number without end")
