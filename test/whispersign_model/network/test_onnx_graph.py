# SPDX-License-Identifier: MIT
"""Exported networks from strangers: only graphs that the export could have written are loaded."""

import copy
from collections.abc import Callable

import numpy as np
import pytest

from whispersign_model.bundled import bundled, names
from whispersign_model.errors import CheckpointError
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.network.onnx_file import rescore_file
from whispersign_model.network.onnx_graph import check_graph

onnx = pytest.importorskip("onnx")
NETWORK = bundled() / "model.onnx"
CONFIG = read_metadata(NETWORK).config


@pytest.mark.parametrize("name", names())
def test_the_bundled_networks_are_accepted(name):
    path = bundled(name) / "model.onnx"
    config = read_metadata(path).config
    check_graph(path, config, second=False)
    check_graph(rescore_file(path), config, second=True)


def node(operator: str, inputs: list[str], domain: str = "", **attributes) -> Callable[..., None]:
    def add(model):
        extra = onnx.helper.make_node(operator, inputs, ["extra"], domain=domain, **attributes)
        model.graph.node.insert(0, extra)

    return add


def constant(model, array, name="size"):
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(array), name))


def expand(model):
    constant(model, [65536, 65536])
    node("Expand", ["known", "size"])(model)


def loop(model):
    body = onnx.helper.make_graph([], "body", [], [])
    node("Loop", ["", ""], body=body)(model)


def subgraph_of_an_accepted_operator(model):
    node("Add", ["known", "known"], body=onnx.helper.make_graph([], "body", [], []))(model)


def external(model):
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def dimension(which: str, axis: int, size: int | str) -> Callable[..., None]:
    def change(model):
        values = {value.name: value for value in (*model.graph.input, *model.graph.output)}
        place = values[which].type.tensor_type.shape.dim[axis]
        if isinstance(size, str):
            place.dim_param = size
        else:
            place.dim_value = size

    return change


def huge_constant(model):
    tensor = model.graph.initializer.add(name="huge", data_type=1)
    tensor.dims.extend([1 << 40])


def function(model):
    model.functions.add(name="mine", domain="mine")


def many_nodes(model):
    for _ in range(4000):
        node("Identity", ["known"])(model)


def chain(operator: str, first: str, count: int, **attributes) -> Callable[..., None]:
    """Combine a tensor with itself again and again."""

    def add(model):
        before = first
        for place in range(count):
            inputs, before = [before, before], f"extra_{place}"
            extra = onnx.helper.make_node(operator, inputs, [before], **attributes)
            model.graph.node.insert(place, extra)

    return add


def outer_sum(model):
    """Broadcast a column and a row of 2^16 elements."""
    constant(model, np.zeros((1 << 16, 1), np.float32), "column")
    constant(model, np.zeros((1, 1 << 16), np.float32), "row")
    node("Add", ["column", "row"])(model)


def repeated_row(model):
    """Gather a row of 2^16 elements 2^14 times."""
    constant(model, np.zeros((1, 1 << 16), np.float32), "table")
    constant(model, np.zeros(1 << 14, np.int64), "rows")
    node("Gather", ["table", "rows"], axis=0)(model)


def products(model):
    """Multiply matrices of 2^20 elements, which takes 2^30 multiplications each time."""
    constant(model, [1024, 1024])
    constant(model, np.float32(1), "one")
    chain("MatMul", "matrix", 4)(model)
    repeat = onnx.helper.make_node("Expand", ["one", "size"], ["matrix"])
    model.graph.node.insert(0, repeat)


def kernel(model):
    """Slide a wide window over a wide row."""
    constant(model, np.zeros((1, 1, 1 << 16), np.float32), "row")
    constant(model, np.zeros((64, 1, 1 << 15), np.float32), "kernel")
    node("Conv", ["row", "kernel"], kernel_shape=[1 << 15])(model)


def with_steps(operator: str, inputs: list[str], **attributes) -> Callable[..., None]:
    """Use the number of patches, and a column of as many zeros."""

    def add(model):
        node(operator, inputs, **attributes)(model)
        constant(model, [0], "zero")
        constant(model, [-40], "less")
        constant(model, [100], "end")
        constant(model, [2], "last")
        constant(model, np.float32(0), "nought")
        for kind, given, output in (
            ("Concat", ["steps", "steps", "steps"], "cube"),
            ("Add", ["steps", "less"], "fewer"),
            ("Shape", ["patches"], "steps"),
        ):
            more = {"Concat": {"axis": 0}, "Shape": {"start": 0, "end": 1}}.get(kind, {})
            model.graph.node.insert(0, onnx.helper.make_node(kind, given, [output], **more))

    return add


def squares(model):
    """Square the number of patches again and again."""
    chain("Mul", "steps", 60)(model)
    steps = onnx.helper.make_node("Shape", ["patches"], ["steps"], start=0, end=1)
    model.graph.node.insert(0, steps)


FAULTS = {
    "squares": (squares, "makes a number beyond 64 bits"),
    "broadcast": (outer_sum, r"a tensor of shape \[65536, 65536\]"),
    "gather": (repeated_row, r"a tensor of shape \[16384, 65536\]"),
    "concat": (chain("Concat", "patches", 40, axis=0), "a tensor of shape"),
    "products": (products, r"it multiplies \d+ times"),
    "kernel": (kernel, r"it multiplies \d+ times"),
    "data": (node("Expand", ["known", "known"]), "depends on the input's data"),
    "cube": (with_steps("Expand", ["nought", "cube"]), "tensor extra grows from"),
    "difference": (with_steps("Expand", ["nought", "fewer"]), "depends on the input's data"),
    "shrinks": (with_steps("Slice", ["tokens", "steps", "end", "last"]), "for a longer clip"),
    "padding": (node("Conv", ["patches", "size"], auto_pad="SAME_UPPER"), "attribute auto_pad"),
    "shape": (node("MatMul", ["tokens", "patches"]), "multiplies matrices of the shapes"),
    "loose end": (node("Add", ["known", "nothing"]), "nothing"),
    "loop": (loop, "the operator Loop"),
    "if": (node("If", ["known"]), "the operator If"),
    "scan": (node("Scan", ["known"]), "the operator Scan"),
    "fill": (node("ConstantOfShape", ["known"]), "the operator ConstantOfShape"),
    "tile": (node("Tile", ["known", "known"]), "the operator Tile"),
    "domain": (node("Add", ["known", "known"], "evil"), "the operator Add evil"),
    "body": (subgraph_of_an_accepted_operator, "contains a graph or a tensor"),
    "expand": (expand, "a tensor of shape"),
    "range": (lambda model: constant(model, 1 << 40), "contains the size 1099511627776"),
    "negative": (lambda model: constant(model, [-(1 << 40)]), "contains the size -1099511627776"),
    "pads": (node("Conv", ["known"], pads=[1 << 30, 0]), "contains the size 1073741824"),
    "external": (external, "in another file"),
    "huge": (huge_constant, "with 0 values"),
    "function": (function, "functions of its own"),
    "nodes": (many_nodes, "nodes"),
    "symbolic state": (dimension("memory_0", 3, "n"), "the input memory_0 is"),
    "large state": (dimension("memory_1", 3, 1 << 40), "the input memory_1 is"),
    "patch": (dimension("patches", 1, 8), "the input patches is"),
    "labels": (dimension("log_probs", 1, 3), "the output log_probs is"),
    "no output": (lambda model: model.graph.output.pop(1), "the output states is missing"),
    "no input": (lambda model: model.graph.input.pop(1), "the input known is missing"),
}


@pytest.fixture(scope="module")
def model():
    return onnx.load(NETWORK)


@pytest.mark.parametrize("name", FAULTS)
def test_a_graph_that_the_export_does_not_write_is_refused(model, tmp_path, name):
    change, fault = FAULTS[name]
    changed = copy.deepcopy(model)
    change(changed)
    path = tmp_path / "model.onnx"
    path.write_bytes(changed.SerializeToString())
    with pytest.raises(CheckpointError, match=fault) as caught:
        check_graph(path, CONFIG, second=False)
    assert str(caught.value).startswith(f"{path}: is not a network that `whispersign export` write")


def test_a_second_graph_that_a_runtime_would_join_is_refused(model, tmp_path):
    extra = onnx.ModelProto()
    loop(extra)
    path = tmp_path / "model.onnx"
    path.write_bytes(extra.SerializeToString() + NETWORK.read_bytes())
    with pytest.raises(CheckpointError, match="several graphs"):
        read_metadata(path)


def test_the_second_pass_is_checked_too(tmp_path):
    with pytest.raises(CheckpointError, match="the input states is missing"):
        check_graph(NETWORK, CONFIG, second=True)
