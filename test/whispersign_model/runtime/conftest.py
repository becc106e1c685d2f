"""A small network, its checkpoint, and what was exported of it (once for all tests)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from whispersign_model.features.recipe import Recipe
from whispersign_model.network.checkpoint import CheckpointMetadata
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.runtime.export import export, made_up_features

GLOSSES = ("HELLO", "YES", "NO")


SECOND_PASSES = {
    "states": {},
    "utterance": {"utterance_frames": 16},
    "spots": {"utterance_frames": 16, "candidate_segments": (3, 5), "score_threshold": 0.7},
}


@pytest.fixture(scope="session", params=SECOND_PASSES)
def network(request: pytest.FixtureRequest) -> WhisperSignModel:
    """One block that soon forgets; its biases are not zero; with each kind of second pass."""
    config = ModelConfig.model_validate(
        {
            "frontend": {"d_model": 64},
            "encoder": {"num_layers": 1, "d_ff": 128, "left_context": 6, "max_distance": 3},
            "decoder": {"vocab_size": len(GLOSSES) + 1, **SECOND_PASSES[request.param]},
        }
    )
    torch.manual_seed(0)
    model = WhisperSignModel(config).eval()
    for name, parameter in model.named_parameters():
        if "bias" in name or "relative" in name:
            torch.nn.init.normal_(parameter)
        if "utterance" in name and parameter.dim() == 1 and "weight" in name:
            torch.nn.init.constant_(parameter, 3.0)  # else its tokens hardly differ between clips
    return model


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, network: WhisperSignModel) -> Path:
    """The network's checkpoint, with ``model.onnx`` and ``model.rescore.onnx`` in its folder."""
    path = tmp_path_factory.mktemp("run") / "run"
    metadata = CheckpointMetadata(
        name="small", config=network.config, glosses=GLOSSES, recipe=Recipe()
    )
    network.save_checkpoint(path, metadata)
    model, metadata = WhisperSignModel.load_checkpoint(path)
    export(model, metadata, path / "model.onnx")
    return path


@pytest.fixture
def clip():
    """Return features ``(frames, 42, 7)`` of any length."""
    return lambda frames: made_up_features(np.random.default_rng(frames), frames)
