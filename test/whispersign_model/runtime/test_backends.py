# SPDX-License-Identifier: MIT
"""Every runtime gives what the network gives: whole, as a stream, and rescored."""

import shutil
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch

from whispersign_model.decoding.backend import choose_device
from whispersign_model.decoding.detection import SegmentScorer
from whispersign_model.errors import CheckpointError, ConfigError
from whispersign_model.network.onnx_file import DIGEST, graph_digest, rescore_file
from whispersign_model.runtime import onnx_backend
from whispersign_model.runtime.onnx_backend import OnnxBackend
from whispersign_model.runtime.torch_backend import TorchBackend

LENGTHS = (1, 6, 32, 333)  # frames; the left context is 24


@pytest.fixture(scope="session", params=["torch", "onnx"])
def backend(request, network, checkpoint):
    return (
        TorchBackend(network, "cpu")
        if request.param == "torch"
        else OnnxBackend(checkpoint / "model.onnx", "cpu")
    )


@torch.inference_mode()
def offline(network, features, chunk=0):
    return network(torch.from_numpy(features[None]), torch.tensor([len(features)]), chunk)


@pytest.mark.parametrize("frames", LENGTHS)
def test_a_whole_clip(backend, network, clip, frames):
    expected = offline(network, clip(frames)).log_probs[0].numpy()
    found = backend.encode(clip(frames)).log_probs
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("chunk", [1, 2, 4, 8])
@pytest.mark.parametrize("frames", LENGTHS)
def test_a_stream_in_pieces_of_any_length(backend, network, clip, frames, chunk):
    features = clip(frames)
    expected = offline(network, features, chunk).log_probs[0].numpy()
    generator = np.random.default_rng(chunk)
    stream = backend.stream(chunk)
    for _ in range(2):  # another clip after a reset
        cuts = np.sort(generator.integers(0, frames + 1, size=7))
        rows = [stream.push(part) for part in np.split(features, cuts)]
        assert sum(map(len, rows)) == frames // (4 * chunk) * chunk
        np.testing.assert_allclose(
            np.concatenate([*rows, stream.peek(features[:0])]), expected, atol=1e-4
        )
        stream.reset()


def test_a_look_ahead_leaves_the_stream_as_it_was(backend, network, clip):
    features = clip(90)
    stream = backend.stream(2)
    rows = [stream.push(features[:45])]
    end = np.zeros((8, 42, 7), np.float32)
    seen = np.concatenate([*rows, stream.peek(end)])
    cut = offline(network, np.concatenate([features[:45], end]), 2).log_probs[0].numpy()
    np.testing.assert_allclose(seen, cut, atol=1e-4)
    rows += [stream.push(features[45:]), stream.peek(features[:0])]
    whole = offline(network, features, 2).log_probs[0].numpy()
    np.testing.assert_allclose(np.concatenate(rows), whole, atol=1e-4)


def test_two_streams_do_not_disturb_each_other(backend, clip):
    one, other = backend.stream(2), backend.stream(2)
    expected = backend.stream(2).push(clip(80))
    rows = [one.push(clip(80)[:40])]
    other.push(clip(50))
    rows.append(one.push(clip(80)[40:]))
    np.testing.assert_allclose(np.concatenate(rows), expected, atol=1e-6)


@pytest.mark.parametrize("exported", ["states", "utterance"], indirect=True)
@pytest.mark.parametrize("hypotheses", [[(1, 2, 3), (), (2,)], [()], [(3,)]])
def test_rescoring(backend, network, clip, hypotheses):
    data, lengths = torch.from_numpy(clip(50)[None]), torch.tensor([50])
    with torch.inference_mode():
        memories = network.memories(data, lengths, network(data, lengths))[0]
    expected = network.rescore(memories, hypotheses)
    found = backend.encode(clip(50)).second_pass(hypotheses)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("exported", ["spots"], indirect=True)
def test_detection(backend, network, clip):
    segments = np.array([[0, 50], [7, 30], [49, 50], [40, 52]])
    expected = network.score_segments(torch.from_numpy(clip(50)[None]), segments)
    scorer = backend.encode(clip(50)).second_pass
    assert (scorer.lengths, scorer.score_threshold, scorer.frames_per_step) == ((3, 5), 0.7, 4)
    np.testing.assert_allclose(np.exp(scorer.score(segments)), np.exp(expected), atol=1e-5)
    assert np.exp(expected).sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert abs(expected[0] - expected[1]).max() > 1e-3


@pytest.mark.parametrize(
    ("wanted", "gpu", "chosen"),
    [
        ("auto", False, "cpu"),
        ("auto", True, "cuda"),
        ("cpu", True, "cpu"),
        ("cuda", True, "cuda"),
        ("cuda", False, "cpu"),
    ],
)
def test_the_device_and_when_a_notice_is_due(wanted, gpu, chosen):
    device, notice = choose_device(wanted, gpu)
    assert device == chosen
    assert bool(notice) == (wanted == "cuda" and not gpu)


def test_a_device_that_cannot_be_had(checkpoint, network):
    with pytest.raises(ConfigError, match="choose auto, cpu or cuda"):
        OnnxBackend(checkpoint / "model.onnx", "tpu")
    if not torch.cuda.is_available():
        assert "using the CPU" in TorchBackend(network, "cuda").notice


def test_cuda_is_asked_for_where_it_is_and_its_failure_noticed(checkpoint, monkeypatch):
    """ONNX Runtime lists a provider that it cannot start, and falls back by itself."""
    asked = []

    def session(path, device, threads):
        asked.append(device)
        return real(path, "cpu", threads)

    real = onnx_backend._session
    monkeypatch.setattr(onnx_backend, "_session", session)
    monkeypatch.setattr(
        onnx_backend.onnxruntime, "get_available_providers", lambda: [onnx_backend.CUDA]
    )
    backend = OnnxBackend(checkpoint / "model.onnx", "cuda")
    assert asked == ["cuda", "cuda"]
    assert backend.device == "cpu"
    assert backend.notice.count("using the CPU") == 1


def test_one_thread_that_does_not_spin(checkpoint, monkeypatch):
    seen = []
    real = onnx_backend.onnxruntime.InferenceSession

    def session(path, options, providers):
        seen.append(options)
        return real(path, options, providers=providers)

    monkeypatch.setattr(onnx_backend.onnxruntime, "InferenceSession", session)
    OnnxBackend(checkpoint / "model.onnx", "cpu", threads=3)
    for options in seen:
        assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 1)
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_files_that_do_not_belong_together(checkpoint, tmp_path):
    model, second = tmp_path / "model.onnx", tmp_path / "model.rescore.onnx"
    model.write_bytes((checkpoint / "model.onnx").read_bytes())
    with pytest.raises(CheckpointError, match=r"model\.rescore\.onnx: does not exist"):
        OnnxBackend(model)
    second.write_bytes(model.read_bytes())
    with pytest.raises(CheckpointError, match=r"does not belong to model\.onnx"):
        OnnxBackend(model)


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        ("1.18.1", r"it needs 1\.19 or newer: pip install 'onnxruntime>=1\.19'$"),
        ("1.9.0", r"it needs 1\.19 or newer"),
        ("1.19.0", r"update onnxruntime, or export the network again$"),
        ("1.20.0.dev20260101", r"update onnxruntime"),
    ],
)
def test_a_graph_that_the_runtime_cannot_load(tmp_path, monkeypatch, version, advice):
    monkeypatch.setattr(onnx_backend.onnxruntime, "__version__", version)
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(CheckpointError, match=advice) as caught:
        onnx_backend._session(tmp_path / "model.onnx", "cpu", 1)
    assert f"cannot be loaded by ONNX Runtime {version} (" in str(caught.value)


def test_a_graph_that_fails_is_told_in_the_error_alone(checkpoint, clip, tmp_path, capfd):
    shutil.copy(rescore_file(checkpoint / "model.onnx"), tmp_path)
    model = onnx.load(checkpoint / "model.onnx")
    node = next(each for each in model.graph.node if each.op_type == "LayerNormalization")
    scale = next(each for each in model.graph.initializer if each.name == node.input[1])
    scale.CopyFrom(onnx.numpy_helper.from_array(np.ones(3, np.float32), scale.name))
    properties = {each.key: each.value for each in model.metadata_props}
    properties[DIGEST] = graph_digest(model.SerializeToString())
    onnx.helper.set_model_props(model, properties)
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(CheckpointError, match=r"model.onnx: fails while it runs \(.*Scale"):
        OnnxBackend(tmp_path / "model.onnx", "cpu").encode(clip(6))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_second_pass_that_computes_no_numbers_is_refused(checkpoint, clip, value):
    backend = OnnxBackend(checkpoint / "model.onnx", "cpu")
    second = backend._second
    backend._second = SimpleNamespace(
        run=lambda outputs, feed: [np.full_like(second.run(outputs, feed)[0], value)]
    )
    second_pass = backend.encode(clip(32)).second_pass
    detects = isinstance(second_pass, SegmentScorer)
    score, items = (
        (second_pass.score, np.array([[0, 32]])) if detects else (second_pass, [(1,), (1, 2)])
    )
    with pytest.raises(CheckpointError, match="its output is not a number"):
        score(items)
