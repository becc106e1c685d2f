# SPDX-License-Identifier: MIT
"""Which runtime is chosen: exported networks need no PyTorch, others fall back to it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import whispersign_model
from whispersign_model.errors import CheckpointError
from whispersign_model.network.checkpoint import read_metadata, write_checkpoint
from whispersign_model.runtime.loading import exported_beside, load_backend
from whispersign_model.runtime.onnx_backend import OnnxBackend
from whispersign_model.runtime.torch_backend import TorchBackend

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # importing it fails
import numpy as np
from pathlib import Path
from whispersign_model.decoding.streaming import StreamingRecognizer
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.runtime.loading import load_backend
path = Path(sys.argv[1])
recognizer = StreamingRecognizer(load_backend(path), read_metadata(path).glosses)
recognizer.push(np.ones((30, 42, 7), np.float32), np.arange(30) * 10**7)
recognizer.finish()
print(recognizer.backend.encode(np.ones((30, 42, 7), np.float32)).log_probs.shape)
"""


@pytest.fixture
def folder(checkpoint, tmp_path):
    return shutil.copytree(checkpoint, tmp_path / "copy")


def test_the_exported_network_is_taken_where_it_is_the_same(folder):
    for path in (folder, folder / "model.safetensors", folder / "model.onnx"):
        assert isinstance(load_backend(path, "cpu"), OnnxBackend)
    (folder / "model.onnx").unlink()
    assert isinstance(load_backend(folder, "cpu"), TorchBackend)


def test_a_network_exported_from_other_weights_is_left_alone(folder, network):
    other = {name: value + 1 for name, value in network.state_dict().items()}
    write_checkpoint(folder, other, read_metadata(folder))
    assert isinstance(load_backend(folder, "cpu"), TorchBackend)


def test_what_the_checkpoint_has_learnt_since_does_not_matter(folder):
    file = folder / "model.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "name": "renamed"}))
    assert isinstance(load_backend(folder, "cpu"), OnnxBackend)


def test_recognition_without_torch(checkpoint):
    for path in (checkpoint, checkpoint / "model.onnx"):
        answer = subprocess.run(
            [sys.executable, "-c", WITHOUT_TORCH, str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout.splitlines()[-1] == "(8, 4)"


def test_without_torch_and_without_an_exported_network(folder, monkeypatch):
    (folder / "model.onnx").unlink()
    monkeypatch.setattr("whispersign_model.runtime.loading.find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match=r"whispersign export .*model\.onnx") as raised:
        load_backend(folder)
    assert "\n" not in str(raised.value)


def test_both_runtimes_recognise_the_same(folder, clip):
    exported = load_backend(folder, "cpu").encode(clip(77)).log_probs
    (folder / "model.onnx").unlink()
    np.testing.assert_allclose(
        load_backend(folder, "cpu").encode(clip(77)).log_probs, exported, atol=1e-4
    )


def test_the_bundled_model_has_been_exported():
    assert exported_beside(Path(whispersign_model.__file__).parent / "assets" / "demo_model")
