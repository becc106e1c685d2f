# SPDX-License-Identifier: MIT
"""Check the graphs of an exported network before a runtime loads them.

A graph is a program. This module accepts only operators that the export writes: none repeats a part
of the graph, reads another file, or runs code from elsewhere. It also compares the inputs and
outputs with the network's configuration, and bounds what the operators compute.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from whispersign_model.errors import CheckpointError
from whispersign_model.files import read_bytes
from whispersign_model.network.config import PARTS_PER_HAND, ModelConfig
from whispersign_model.network.onnx_cost import check_cost
from whispersign_model.network.onnx_file import GRAPH, ONNX_BYTES, Fields, fields_of
from whispersign_model.network.onnx_shapes import VALUES as SHAPE_VALUES
from whispersign_model.network.onnx_shapes import Node, Tensor
from whispersign_model.skeleton import FEATURES, HANDS, JOINTS

OPERATORS = frozenset(
    """
    Abs Add And BatchNormalization Cast Clip Concat Conv Cos Div DynamicQuantizeLinear Equal Erf
    Exp Expand Floor Gather GatherElements Gelu Gemm Greater GreaterOrEqual Identity
    LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul MatMulInteger Max MaxPool
    Min Mul Neg Not Or Pad Pow Range Reciprocal ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum Relu Reshape ScatterElements Shape Sigmoid Sin Slice Softmax Softplus Split Sqrt
    Squeeze Sub Tanh Transpose Trilu Unsqueeze Where
    """.split()  # noqa: SIM905
)
DOMAINS = ("", "ai.onnx")
NODES, NODES_PER_LAYER = 1000, 500  # a block of the encoder has about 90 nodes
LARGEST = 1 << 17  # of a number in the graph that is no index: sizes, strides, vocabularies
UNBOUNDED = (2**63 - 1, -(2**63), 2**31 - 1, -(2**31))  # ends of slices

# Fields of the messages in onnx.proto.
OPSETS, TRAINING, FUNCTIONS = 8, 20, 25  # of ModelProto
NODE, INITIALIZER, INPUT, OUTPUT, SPARSE = 1, 5, 11, 12, 15  # of GraphProto
NODE_INPUT, NODE_OUTPUT, OPERATOR, ATTRIBUTE, DOMAIN = 1, 2, 4, 5, 7  # of NodeProto
ATTRIBUTE_NAME, INT, STRING, FLOATS, INTS = 1, 3, 4, 7, 8  # of AttributeProto
ATTRIBUTE_FIELDS = frozenset({1, 2, INT, STRING, FLOATS, INTS, 9, 13, 20})  # no tensor and no graph
DIMS, TYPE, NAME, RAW, EXTERNAL, LOCATION = 1, 2, 8, 9, 13, 14  # of TensorProto
VALUES = {1: 4, 2: 5, 3: 5, 6: 5, 7: 7, 9: 5}  # field of the values, by type of element
BYTES = {1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 9: 1}  # of an element, by type
FLOAT32, INT32, INT64 = 1, 6, 7
NUMPY = {FLOAT32: "<f4", INT32: "<i4", INT64: "<i8"}

Shape = tuple[int | None, ...]  # None: any size
Values = dict[str, tuple[int, Shape]]  # type and shape by name

BY_STEP = ("patches", "states", "utterance")  # inputs with a row for each step of a clip
# Attention compares all steps with each other, and in the second pass for every hypothesis.
FIRST_POWER, SECOND_POWER = 2, 3


def check_graph(path: Path, config: ModelConfig, second: bool) -> None:
    """Check the graph of a file.

    Args:
        path: the file of the first or the second pass.
        config: configuration of the network.
        second: whether it is the second pass.

    Raises:
        CheckpointError: the graph does something that no exported network does, or does not have
            the inputs and outputs of the configuration.
    """
    try:
        model = fields_of(read_bytes(path, CheckpointError, ONNX_BYTES))
        _check_model(model)
        graph = fields_of(_message(model, GRAPH))
        most = NODES + NODES_PER_LAYER * (config.encoder.num_layers + config.decoder.num_layers)
        nodes = _nodes(graph, most)
        constants = dict(map(_constant, map(fields_of, graph.get(INITIALIZER, ()))))
        inputs, outputs = second_signature(config) if second else first_signature(config)
        _compare("input", _values(graph, INPUT), inputs)
        _compare("output", _values(graph, OUTPUT), outputs)
        shapes = {name: shape for name, (_, shape) in inputs.items()}
        check_cost(nodes, constants, shapes, BY_STEP, SECOND_POWER if second else FIRST_POWER)
    except (DecodeError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise CheckpointError(
            path, f"is not a network that `whispersign export` writes: {error}", "export it again"
        ) from error


def first_signature(config: ModelConfig) -> tuple[Values, Values]:
    """Return the inputs and outputs of the first pass."""
    frontend, encoder = config.frontend, config.encoder
    memory = (1, 1, encoder.num_heads, encoder.left_context, frontend.d_model // encoder.num_heads)
    channels = config.part_channels * PARTS_PER_HAND
    state: Values = {
        "known": (INT64, (1,)),
        "tokens": (FLOAT32, (len(HANDS), frontend.kernel_size - 1, channels)),
        **{f"memory_{index}": (FLOAT32, memory) for index in range(2 * encoder.num_layers)},
    }
    inputs: Values = {"patches": (FLOAT32, (None, frontend.patch_size, JOINTS, FEATURES)), **state}
    outputs: Values = {
        "log_probs": (FLOAT32, (None, config.decoder.vocab_size)),
        "states": (FLOAT32, (None, frontend.d_model)),
        **{f"next_{name}": value for name, value in state.items()},
    }
    return inputs, outputs


def second_signature(config: ModelConfig) -> tuple[Values, Values]:
    """Return the inputs and outputs of the second pass."""
    utterance: Values = {"utterance": (FLOAT32, (None, JOINTS, FEATURES))}
    if config.decoder.detects:
        scores: Values = {"segment_scores": (FLOAT32, (None, config.decoder.vocab_size))}
        return {**utterance, "segments": (INT64, (None, 2))}, scores
    inputs: Values = {
        "states": (FLOAT32, (None, config.frontend.d_model)),
        "sequences": (INT64, (None, None)),
        "lengths": (INT64, (None,)),
        **(utterance if config.decoder.utterance_frames else {}),
    }
    return inputs, {"scores": (FLOAT32, (None,))}


def _check_model(model: Fields) -> None:
    if model.get(TRAINING) or model.get(FUNCTIONS):
        raise ValueError("it defines functions of its own")
    for opset in model.get(OPSETS, ()):
        for domain in fields_of(opset).get(1, ()):
            if domain.decode() not in DOMAINS:
                raise ValueError(f"it uses operators of {domain.decode()}")


def _nodes(graph: Fields, most: int) -> list[Node]:
    """Return the nodes of a graph after checking their number, operators and attributes."""
    contents = graph.get(NODE, ())
    if len(contents) > most:
        raise ValueError(f"it has {len(contents)} nodes")
    if graph.get(SPARSE):
        raise ValueError("it has sparse tensors")
    return [_node(fields_of(content)) for content in contents]


def _node(node: Fields) -> Node:
    names = [name.decode() for name in node.get(OPERATOR, ())]
    domains = [name.decode() for name in node.get(DOMAIN, ())]
    if not names or not OPERATORS.issuperset(names) or not set(domains) <= set(DOMAINS):
        raise ValueError(f"it has the operator {' '.join(names + domains)}")
    attributes: dict[str, list[int]] = {}
    for attribute in map(fields_of, node.get(ATTRIBUTE, ())):
        if not attribute.keys() <= ATTRIBUTE_FIELDS:
            raise ValueError(f"the operator {names[0]} contains a graph or a tensor")
        name = attribute[ATTRIBUTE_NAME][-1].decode()
        numbers = [*_integers(attribute, INT), *_integers(attribute, INTS)]
        _check_numbers(numbers)
        if name in attributes or (name == "auto_pad" and attribute.get(STRING) != [b"NOTSET"]):
            raise ValueError(f"the operator {names[0]} has the wrong attribute {name}")
        attributes[name] = numbers
    inputs, outputs = (
        [name.decode() for name in node.get(which, ())] for which in (NODE_INPUT, NODE_OUTPUT)
    )
    return Node(names[-1], inputs, outputs, attributes)


def _constant(tensor: Fields) -> tuple[str, Tensor]:
    """Check that a constant has the size of its shape; return its name, shape and numbers."""
    if tensor.get(EXTERNAL) or any(tensor.get(LOCATION, ())):
        raise ValueError("it stores constants in another file")
    kind = _integers(tensor, TYPE)[-1]
    size = math.prod(dims := _integers(tensor, DIMS))
    if min(dims, default=1) < 0 or kind not in BYTES:
        raise ValueError(f"it has a constant of shape {dims} and type {kind}")
    raw = _message(tensor, RAW)
    packed = raw or (_message(tensor, VALUES[kind]) if kind == FLOAT32 else b"")
    numbers = [] if packed or kind == FLOAT32 else _integers(tensor, VALUES[kind])
    held = len(packed) // BYTES[kind] if packed else len(numbers)
    if held != size:
        raise ValueError(f"it has a constant of shape {dims} with {held} values")
    value = None
    if kind in NUMPY and (kind != FLOAT32 or size <= SHAPE_VALUES):
        numbers = np.frombuffer(packed, NUMPY[kind]).tolist() if packed else numbers
        if kind != FLOAT32:
            # Indices into the channels of all joints are at most as large as the list is long.
            _check_numbers(numbers, max(LARGEST, 8 * len(numbers)))
        value = np.array(numbers, object).reshape(dims) if size <= SHAPE_VALUES else None
    return tensor[NAME][-1].decode(), Tensor(tuple(dims), value, constant=True)


def _check_numbers(numbers: Sequence[int], largest: int = LARGEST) -> None:
    sizes = [number for number in numbers if number not in UNBOUNDED]
    if any(abs(number) > largest for number in sizes):
        raise ValueError(f"it contains the size {max(sizes, key=abs)}")


def _values(graph: Fields, field: int) -> Values:
    """Return the type and shape of each input or output of a graph."""
    found: Values = {}
    for content in graph.get(field, ()):
        value = fields_of(content)
        tensor = fields_of(_message(fields_of(_message(value, 2)), 1))
        shape = fields_of(_message(tensor, 2))
        sizes = [_integers(fields_of(each), 1) for each in shape.get(1, ())]
        name = value[1][-1].decode()
        found[name] = _integers(tensor, 1)[-1], tuple(s[-1] if s else None for s in sizes)
    return found


def _compare(what: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for name in (*expected, *found):
        if name not in found:
            raise ValueError(f"the {what} {name} is missing")
        if name not in expected:
            raise ValueError(f"it has the {what} {name}")
        if found[name] != expected[name]:
            raise ValueError(
                f"the {what} {name} is {_shape(found[name])}, the configuration asks for "
                f"{_shape(expected[name])}"
            )


def _shape(value: tuple[int, Shape]) -> str:
    sizes = ", ".join("any" if size is None else str(size) for size in value[1])
    return f"{'int64' if value[0] == INT64 else 'float32'} ({sizes})"


def _message(fields: Fields, number: int) -> bytes:
    """Return a field that holds a message; a protocol buffer joins repetitions of it."""
    return b"".join(fields.get(number, ()))


def _integers(fields: Fields, number: int) -> list[int]:
    """Return the signed integers of a field, which may be packed."""
    found: list[int] = []
    for value in fields.get(number, ()):
        found += _unpacked(value) if isinstance(value, bytes) else [value]
    return [value - (1 << 64) if value >= 1 << 63 else value for value in found]


def _unpacked(content: Iterable[int]) -> list[int]:
    """Decode a sequence of variable-length integers."""
    found, value, shift = [], 0, 0
    for byte in content:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(value & (1 << 64) - 1)
            value = shift = 0
    return found
