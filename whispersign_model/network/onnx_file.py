# SPDX-License-Identifier: MIT
"""Read an exported network's metadata from its ONNX file without an ONNX runtime.

An ONNX file is a protocol buffer, ``ModelProto``. This module reads two of its fields: the graph
and the properties. Every ROS node reads the preprocessing recipe from the properties; loading ONNX
Runtime for that would cost each node 30 MB and a tenth of a second.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from whispersign_model.errors import CheckpointError

SUFFIX = ".onnx"
RESCORE_SUFFIX = ".rescore.onnx"
GRAPH_VERSION = 1  # version of the inputs and outputs of the graphs

# Properties that the export writes. Only the first pass's file has "about", the model.json.
ABOUT = "whispersign"
VERSION = "whispersign_graph_version"
DIGEST = "whispersign_graph_sha256"
RESCORE_DIGEST = "whispersign_rescore_graph_sha256"

GRAPH, PROPERTIES = 7, 14  # fields of ModelProto, in onnx.proto
KEY, VALUE = 1, 2  # fields of StringStringEntryProto


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


def read_onnx_file(path: Path) -> OnnxFile:
    """Read the properties of a file and check its graph against the stored digest.

    Raises:
        CheckpointError: the file is missing, damaged, not from this package, or from a newer
            version.
    """
    try:
        digest, properties = _parse(path.read_bytes())
    except FileNotFoundError as error:
        raise CheckpointError(path, "does not exist", "give a file that was exported") from error
    except OSError as error:
        raise CheckpointError(path, f"cannot be read ({error.strerror})") from error
    except (DecodeError, ValueError) as error:
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
        ValueError: there is no graph, or a property is not text.
    """
    graph, properties = b"", {}
    for number, content in _byte_fields(model):
        if number == GRAPH:
            graph = content
        elif number == PROPERTIES:
            entry = {field: text.decode() for field, text in _byte_fields(content)}
            properties[entry.get(KEY, "")] = entry.get(VALUE, "")
    if not graph:
        raise ValueError("it holds no graph")
    return hashlib.sha256(graph).hexdigest(), properties


def _byte_fields(message: bytes) -> list[tuple[int, bytes]]:
    """Return the number and content of each field that holds bytes, text or a message."""
    fields = UnknownFieldSet(Empty.FromString(message))
    return [(each.field_number, each.data) for each in fields if isinstance(each.data, bytes)]
