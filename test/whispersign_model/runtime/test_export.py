# SPDX-License-Identifier: MIT
"""What is exported: one graph for streams and whole clips, a proof of it, and 8-bit weights."""

import copy
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from whispersign_model.errors import CheckpointError
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.network.onnx_file import check_name, rescore_file
from whispersign_model.runtime import export as exporting
from whispersign_model.runtime.export import compare, export, quantise, save
from whispersign_model.runtime.onnx_backend import OnnxBackend
from whispersign_model.runtime.torch_backend import TorchBackend


def operations(path):
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def test_the_description_is_the_checkpoints(checkpoint):
    assert read_metadata(checkpoint / "model.onnx") == read_metadata(checkpoint)


def test_no_word_of_where_it_was_exported(checkpoint):
    for path in (checkpoint / "model.onnx", rescore_file(checkpoint / "model.onnx")):
        text = path.read_bytes()
        assert b".py" not in text
        assert str(Path.cwd()).encode() not in text


def test_the_graphs_take_any_number_of_steps_and_keep_a_state_of_fixed_size(checkpoint):
    graph = onnx.load(checkpoint / "model.onnx").graph
    shapes = {
        value.name: [dim.dim_value or dim.dim_param for dim in value.type.tensor_type.shape.dim]
        for value in [*graph.input, *graph.output]
    }
    assert isinstance(shapes["patches"][0], str)
    assert shapes["patches"][1:] == [4, 42, 7]
    state = [name for name in shapes if f"next_{name}" in shapes]
    assert set(state) == {"known", "tokens", "memory_0", "memory_1"}
    for name in state:
        assert shapes[f"next_{name}"] == shapes[name]
        assert all(isinstance(size, int) for size in shapes[name])


def test_large_products_have_weights_that_the_runtime_can_lay_out(checkpoint):
    """T-MHSA and feed-forward: two groups, four products each; no batched ones but S-MHSA's."""
    model = onnx.load(checkpoint / "model.onnx")
    constant = {value.name: list(value.dims) for value in model.graph.initializer}
    ranks = [
        len(constant[node.input[1]])
        for node in model.graph.node
        if node.op_type in ("MatMul", "Gemm") and node.input[1] in constant
    ]
    assert ranks.count(2) >= 8
    assert "Erf" not in operations(checkpoint / "model.onnx")  # GELU is one operation


def test_parity_is_measured_and_a_difference_refused(network, checkpoint, tmp_path, monkeypatch):
    parity = compare(TorchBackend(network, "cpu"), OnnxBackend(checkpoint / "model.onnx", "cpu"))
    assert 0 < max(parity.whole, parity.streams, parity.second) < 1e-4

    def other_graph(model):
        graph = onnx.load(checkpoint / "model.onnx")
        biases = [value for value in graph.graph.initializer if list(value.dims) == [64]]
        for value in biases:
            changed = onnx.numpy_helper.to_array(value) + np.float32(0.1)
            value.CopyFrom(onnx.numpy_helper.from_array(changed, value.name))
        return graph

    monkeypatch.setattr(exporting, "encoder_graph", other_graph)
    monkeypatch.setattr(
        exporting, "second_graph", lambda model: onnx.load(checkpoint / "model.rescore.onnx")
    )
    out = tmp_path / "model.onnx"
    with pytest.raises(CheckpointError, match="was not written: it would differ"):
        export(network, read_metadata(checkpoint), out)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_a_difference(value):
    assert not exporting._difference(np.zeros(3), np.array([0, value, 0])) <= 1e-3


def test_a_network_that_gives_no_numbers_is_refused(network, checkpoint):
    spoiled = copy.deepcopy(network)
    with torch.no_grad():
        spoiled.ctc.project.bias[0] = np.nan
    with pytest.raises(CheckpointError, match="its output is not a number"):
        compare(TorchBackend(spoiled, "cpu"), OnnxBackend(checkpoint / "model.onnx", "cpu"))


def test_eight_bit_weights_in_matrix_products_only(network, checkpoint, tmp_path):
    small = tmp_path / "small.onnx"
    quantise(checkpoint / "model.onnx", small, read_metadata(checkpoint))
    before, after = operations(checkpoint / "model.onnx"), operations(small)
    assert after["MatMulInteger"] >= 8
    assert after["Gather"] == before["Gather"]
    assert read_metadata(small) == read_metadata(checkpoint)
    for name in ("small.onnx", "small.rescore.onnx"):
        original = checkpoint / name.replace("small", "model")
        assert (tmp_path / name).stat().st_size < 0.85 * original.stat().st_size
    parity = compare(TorchBackend(network, "cpu"), OnnxBackend(small, "cpu"))
    assert 1e-4 < parity.whole < 1
    assert parity.streams < 1
    weights = [
        onnx.numpy_helper.to_array(value)
        for value in onnx.load(small).graph.initializer
        if value.data_type == onnx.TensorProto.INT8 and value.dims and len(value.dims) == 2
    ]
    assert weights
    assert max(int(np.abs(weight.astype(int)).max()) for weight in weights) <= 64  # 7 bits


def test_both_files_stay_readable_when_exported_anew(checkpoint, tmp_path):
    out = tmp_path / "model.onnx"
    for _ in range(2):
        graphs = [onnx.load(checkpoint / name) for name in ("model.onnx", "model.rescore.onnx")]
        save(*graphs, read_metadata(checkpoint), out)
        OnnxBackend(out, "cpu")


@pytest.mark.parametrize("name", ["model", "model.pt", "model.rescore.onnx"])
def test_names_that_would_not_be_read(tmp_path, name):
    with pytest.raises(CheckpointError, match="not a valid name for an exported network"):
        check_name(tmp_path / name)
