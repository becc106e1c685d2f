# SPDX-License-Identifier: MIT
"""Reading an exported network's description: what is in it, and every way it can be wrong."""

import hashlib

import pytest

from whispersign_model.errors import CheckpointError
from whispersign_model.network.checkpoint import CheckpointMetadata, read_metadata
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.onnx_file import (
    ABOUT,
    DIGEST,
    RESCORE_DIGEST,
    VERSION,
    OnnxFile,
    graph_digest,
    read_onnx_file,
    rescore_file,
)

GRAPH = b"\x0a\x03abc" * 100_000  # whatever: it is only hashed
DIGEST_OF_GRAPH = hashlib.sha256(GRAPH).hexdigest()


def varint(number: int) -> bytes:
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def delimited(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def onnx(graph: bytes = GRAPH, **properties: str) -> bytes:
    """A ``ModelProto`` with fields of every kind around graph and properties."""
    entries = [
        delimited(14, delimited(1, key.encode()) + delimited(2, value.encode()))
        for key, value in properties.items()
    ]
    others = varint(1 << 3) + varint(10) + varint(90 << 3 | 1) + b"12345678" + varint(91 << 3 | 5)
    return others + b"1234" + delimited(2, b"maker") + delimited(7, graph) + b"".join(entries)


def about(glosses: int = 2) -> str:
    config = ModelConfig().with_vocabulary(2)
    names = tuple("ABCDEF"[:glosses])
    return CheckpointMetadata(config=config, glosses=names, recipe={}).model_dump_json()


def ours(**changes: str) -> bytes:
    entries = {ABOUT: about(), VERSION: "1", DIGEST: DIGEST_OF_GRAPH, RESCORE_DIGEST: "b" * 64}
    return onnx(**{**entries, **changes})


def test_properties_and_digest_are_read(tmp_path):
    path = tmp_path / "my.model.onnx"
    path.write_bytes(ours())
    assert read_onnx_file(path) == OnnxFile(about(), DIGEST_OF_GRAPH, "b" * 64)
    assert graph_digest(ours()) == DIGEST_OF_GRAPH
    assert read_metadata(path).glosses == ("A", "B")
    assert rescore_file(path) == tmp_path / "my.model.rescore.onnx"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not exist"),
        (b"", "not an ONNX file, or is damaged"),
        (b"\x89PNG\r\n\x1a\n" * 50, "not an ONNX file, or is damaged"),
        (ours()[: len(GRAPH) // 2], "not an ONNX file, or is damaged"),
        (ours()[:-70], "not an ONNX file, or is damaged"),
        (b"\xff" * 40, "not an ONNX file, or is damaged"),
        (onnx(), "is not a network of WhisperSign"),
        (ours(**{VERSION: "2"}), "graph version 2, this program reads 1; update whispersign"),
        (ours(**{DIGEST: "c" * 64}), "its graph is not the one exported"),
        (ours().replace(b"abc", b"abd", 1), "its graph is not the one exported"),
        (ours(**{ABOUT: ""}), "second pass of a network only; give model.onnx"),
        (ours(**{ABOUT: "{"}), "is damaged"),
        (ours(**{ABOUT: '{"format_version": 99}'}), "update whispersign"),
        (ours(**{ABOUT: about(glosses=3)}), "names 3 glosses"),
    ],
)
def test_a_file_at_fault_is_refused_in_a_line(tmp_path, content, says):
    path = tmp_path / "model.rescore.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=says) as raised:
        read_metadata(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
