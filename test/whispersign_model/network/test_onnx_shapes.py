# SPDX-License-Identifier: MIT
"""Shapes that are derived without data: those that ONNX Runtime computes."""

import numpy as np
import onnxruntime
import pytest

from whispersign_model.bundled import bundled
from whispersign_model.network.onnx_shapes import Node, Tensor, derive

onnx = pytest.importorskip("onnx")

FLOATS = [np.zeros((2, 3, 8), np.float32), np.zeros((4, 3, 3), np.float32)]
CASES = [
    ("Conv", FLOATS, {"kernel_shape": [3], "pads": [1, 2], "strides": [2], "dilations": [2]}),
    ("Conv", [FLOATS[0], np.zeros((6, 1, 3), np.float32)], {"group": 3}),
    ("MaxPool", FLOATS[:1], {"kernel_shape": [3], "strides": [2]}),
    ("MaxPool", FLOATS[:1], {"kernel_shape": [2], "strides": [2], "pads": [1, 1]}),
    ("Concat", [FLOATS[0], FLOATS[0]], {"axis": -2}),
    ("Expand", [FLOATS[0], np.array([5, 1, 1, 8])], {}),
    ("Gather", [FLOATS[0], np.array([[0, 1], [2, 0]])], {"axis": 1}),
    ("Gather", [np.array([4, 5]), np.array(1)], {}),
    ("GatherElements", [FLOATS[0], np.zeros((2, 1, 5), np.int64)], {"axis": 2}),
    ("Gemm", [FLOATS[1][0], FLOATS[1][:, 0], FLOATS[1][0, 0, :1]], {"transB": 1}),
    ("Gemm", [FLOATS[0][0], FLOATS[0][0]], {"transA": 1}),
    ("MatMul", [FLOATS[0], np.zeros((1, 8, 5), np.float32)], {}),
    ("Pad", [FLOATS[0], np.array([1, 0, 2, 0, 0, -1])], {}),
    ("Pad", [FLOATS[0], np.array([1, 2]), np.float32(0), np.array([-1])], {}),
    ("Range", [np.array(2), np.array(9), np.array(3)], {}),
    ("Range", [np.array(9), np.array(2), np.array(-2)], {}),
    ("Range", [np.float32(0), np.float32(1), np.float32(0.3)], {}),
    ("ReduceSum", [FLOATS[0], np.array([-1, 0])], {"keepdims": 0}),
    ("ReduceMean", [FLOATS[0]], {}),
    ("ReduceMax", [FLOATS[0]], {"noop_with_empty_axes": 1}),
    ("Reshape", [FLOATS[0], np.array([0, -1])], {}),
    ("Reshape", [FLOATS[0][:0], np.array([0, 3, 8])], {"allowzero": 1}),
    ("Shape", FLOATS[:1], {"start": -2}),
    ("Slice", [FLOATS[0], np.array([-1, 5]), np.array([-9, 2**63 - 1]), np.array([1, 2]),
               np.array([-1, 2])], {}),
    ("Slice", [FLOATS[0], np.array([1]), np.array([2])], {}),
    ("Split", [FLOATS[0]], {"axis": 2, "num_outputs": 3}),
    ("Split", [FLOATS[0], np.array([1, 2])], {"axis": 1}),
    ("Squeeze", [FLOATS[0][:1, :1]], {}),
    ("Squeeze", [FLOATS[0][:1, :1], np.array([-2])], {}),
    ("Unsqueeze", [FLOATS[0], np.array([-1, 0])], {}),
    ("Transpose", FLOATS[:1], {}),
    ("Transpose", FLOATS[:1], {"perm": [1, 2, 0]}),
    ("Where", [np.zeros((3, 1), bool), FLOATS[0], np.float32(0)], {}),
    ("Trilu", FLOATS[:1], {}),
    ("DynamicQuantizeLinear", FLOATS[:1], {}),
    ("LayerNormalization", [FLOATS[0], FLOATS[0][0, 0]], {}),
    ("Cast", FLOATS[:1], {"to": 7}),
]  # fmt: skip


def run(nodes, inputs, outputs):
    """Compute the outputs of a graph with ONNX Runtime."""
    given = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(np.asarray(array).dtype), None
        )
        for name, array in inputs.items()
    ]
    wanted = [onnx.helper.make_empty_tensor_value_info(name) for name in outputs]
    graph = onnx.helper.make_graph(nodes, "graph", given, wanted)
    opset = [onnx.helper.make_opsetid("", 20)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(outputs, {name: np.asarray(array) for name, array in inputs.items()})


def numbers(attributes):
    """Return integer attributes as lists."""
    return {name: np.atleast_1d(value).tolist() for name, value in attributes.items()}


@pytest.mark.parametrize(("operator", "arrays", "attributes"), CASES)
def test_shapes_of_one_operator(operator, arrays, attributes):
    names = [f"input_{index}" for index in range(len(arrays))]
    count = {"DynamicQuantizeLinear": 3, "Split": len(arrays) + 1}.get(operator, 1)
    count = attributes.get("num_outputs", count if operator != "Split" else 2)
    outputs = [f"output_{index}" for index in range(count)]
    node = onnx.helper.make_node(operator, names, outputs, **attributes)
    found = run([node], dict(zip(names, arrays)), outputs)
    known = {
        name: Tensor(np.shape(array), np.array(np.asarray(array).tolist(), object), True)
        for name, array in zip(names, arrays)
    }
    derived = derive(Node(operator, names, outputs, numbers(attributes)), known)
    assert [each.shape for each in derived] == [each.shape for each in found]
    if operator in ("Shape", "Gather") and derived[0].value is not None and found[0].ndim < 2:
        assert derived[0].value.tolist() == found[0].tolist()


@pytest.mark.parametrize(
    ("operator", "shapes"),
    [
        ("Add", [(2, 3), (2, 4)]),
        ("MatMul", [(2, 3), (2, 3)]),
        ("Gemm", [(2, 3), (2, 3)]),
        ("Concat", [(2, 3), (2, 4)]),
        ("Conv", [(1, 2, 3, 4), (1, 2, 3)]),
        ("MatMul", [None, (2, 2)]),
        ("Range", [(), ()]),
        ("Squeeze", [(2, 3), (1,)]),
        ("Reshape", [(2, 3), (1,)]),
    ],
)
def test_an_operator_that_does_not_fit_its_inputs(operator, shapes):
    names = [f"input_{index}" if shape is not None else "" for index, shape in enumerate(shapes)]
    known = {
        name: Tensor(shape, np.zeros(shape, object), True)
        for name, shape in zip(names, shapes)
        if shape is not None
    }
    with pytest.raises((ValueError, LookupError)):
        derive(Node(operator, names, ["output"], {}), known)


def test_only_sums_and_products_of_sizes_give_shapes():
    size = Tensor((1,), np.array([5], object))
    known = {"size": size, "less": Tensor((1,), np.array([-2], object), True), "data": Tensor((1,))}

    def value(operator, *names):
        return derive(Node(operator, names, ["output"], {}), known)[0].value

    assert value("Add", "size", "size").tolist() == [10]
    assert value("Mul", "size", "size").tolist() == [25]
    assert value("Add", "less", "less").tolist() == [-4]
    assert value("Add", "size", "less") is None
    assert value("Sub", "size", "size") is None
    assert value("Add", "size", "data") is None
    with pytest.raises(ValueError, match="depends on the input's data"):
        value("Expand", "size", "data")


@pytest.mark.parametrize("name", ["model.onnx", "model.rescore.onnx"])
@pytest.mark.parametrize("steps", [1, 5])
def test_shapes_of_a_network(name, steps):
    model = onnx.load(bundled() / name)
    graph = model.graph
    arrays = {}
    for value in graph.input:
        kind = value.type.tensor_type
        shape = [each.dim_value or steps for each in kind.shape.dim]
        arrays[value.name] = np.ones(
            shape, np.int64 if kind.elem_type == onnx.TensorProto.INT64 else np.float32
        )
    known = {name: Tensor(array.shape) for name, array in arrays.items()}
    for tensor in graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        value = np.array(array.tolist(), object) if array.size < 64 else None
        known[tensor.name] = Tensor(array.shape, value, True)
    for each in graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in each.attribute}
        whole = {k: v for k, v in attributes.items() if isinstance(v, (int, list))}
        node = Node(each.op_type, each.input, each.output, numbers(whole))
        known.update(zip(each.output, derive(node, known)))
    kept = {value.name for value in graph.output}
    inner = [name for node in graph.node for name in node.output if name not in kept]
    graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in inner)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    outputs = [value.name for value in session.get_outputs()]
    for name, array in zip(outputs, session.run(outputs, arrays)):
        assert known[name].shape == array.shape, name
