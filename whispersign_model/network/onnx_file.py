# SPDX-License-Identifier: MIT
"""Read an exported network's metadata from its ONNX file without an ONNX runtime.

An ONNX file is a protocol buffer, ``ModelProto``. This module reads two of its fields: the graph
and the properties. Every ROS node reads the preprocessing recipe from the properties; loading ONNX
Runtime for that would cost each node 30 MB and a tenth of a second.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from whispersign_model.errors import CheckpointError
from whispersign_model.files import MEGABYTE, read_bytes

SUFFIX = ".onnx"
RESCORE_SUFFIX = ".rescore.onnx"
ONNX_BYTES = 1024 * MEGABYTE
GRAPH_VERSION = 1  # version of the inputs and outputs of the graphs

# Properties that the export writes. Only the first pass's file has "about", the model.json.
ABOUT = "whispersign"
VERSION = "whispersign_graph_version"
DIGEST = "whispersign_graph_sha256"
RESCORE_DIGEST = "whispersign_rescore_graph_sha256"

GRAPH, PROPERTIES = 7, 14  # fields of ModelProto, in onnx.proto
KEY, VALUE = 1, 2  # fields of StringStringEntryProto

Fields = dict[int, list[Any]]


@dataclass(frozen=True)
class OnnxFile:
    """The properties of one exported file.

    Attributes:
        about: content of ``model.json``; "" in the second pass's file.
        digest: SHA-256 of the graph.
        rescore_digest: SHA-256 of the second pass's graph; "" in the second pass's file.
    """

    about: str
    digest: str
    rescore_digest: str


def rescore_file(path: Path) -> Path:
    """Return the path of the second pass's file for the network in ``path``."""
    return path.with_suffix(RESCORE_SUFFIX)


def check_name(out: Path) -> None:
    """Reject a file name that could not be loaded as an exported network.

    Raises:
        CheckpointError: the name does not end in .onnx, or it is the name of a second pass.
    """
    if out.suffix != SUFFIX or out.name.endswith(RESCORE_SUFFIX):
        raise CheckpointError(
            out, "is not a valid name for an exported network", f"use a name that ends in {SUFFIX}"
        )


def read_onnx_file(path: Path) -> OnnxFile:
    """Read the properties of a file and check its graph against the stored digest.

    Raises:
        CheckpointError: the file is missing, damaged, not from this package, or from a newer
            version.
    """
    if not path.exists():
        raise CheckpointError(path, "does not exist", "give a file that was exported")
    try:
        digest, properties = _parse(read_bytes(path, CheckpointError, ONNX_BYTES))
    except (DecodeError, ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(
            path, f"is not an ONNX file, or is damaged ({error})", "export or copy it again"
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
    """Return the SHA-256 of a serialized ``ModelProto``'s graph."""
    return _parse(model)[0]


def _parse(model: bytes) -> tuple[str, dict[str, str]]:
    """Return the graph's digest and the properties of a serialized ``ModelProto``.

    Raises:
        DecodeError: the bytes are not a protocol buffer.
        ValueError: there is not exactly one graph, or a property is not text.
    """
    fields = fields_of(model)
    graphs = fields.get(GRAPH, [])
    if len(graphs) != 1:
        raise ValueError("it holds no graph" if not graphs else "it holds several graphs")
    properties = {}
    for content in fields.get(PROPERTIES, ()):
        entry = {field: texts[-1].decode() for field, texts in fields_of(content).items()}
        properties[entry.get(KEY, "")] = entry.get(VALUE, "")
    return hashlib.sha256(graphs[0]).hexdigest(), properties


def fields_of(message: bytes) -> Fields:
    """Return the values of a serialized message by field number, in order.

    A value is an integer, or bytes for text, messages, packed numbers and floating-point numbers.

    Raises:
        DecodeError: the bytes are not a protocol buffer.
        TypeError: ``message`` is not of bytes.
    """
    found: Fields = {}
    for each in UnknownFieldSet(Empty.FromString(message)):
        found.setdefault(each.field_number, []).append(each.data)
    return found
