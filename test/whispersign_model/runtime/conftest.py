# SPDX-License-Identifier: MIT
"""A small network with its checkpoint and exported files, which all tests share."""

from collections.abc import Callable
from functools import cache
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


def make_network(second_pass: str) -> WhisperSignModel:
    """Return a network with one block, a short memory, non-zero biases and this second pass."""
    config = ModelConfig.model_validate(
        {
            "frontend": {"d_model": 64},
            "encoder": {"num_layers": 1, "d_ff": 128, "left_context": 6, "max_distance": 3},
            "decoder": {"vocab_size": len(GLOSSES) + 1, **SECOND_PASSES[second_pass]},
        }
    )
    torch.manual_seed(0)
    model = WhisperSignModel(config).eval()
    for name, parameter in model.named_parameters():
        if "bias" in name or "relative" in name:
            torch.nn.init.normal_(parameter)
        if "utterance" in name and parameter.dim() == 1 and "weight" in name:
            torch.nn.init.constant_(
                parameter, 3.0
            )  # otherwise its tokens hardly differ between clips
    return model


@pytest.fixture(scope="session")
def exports(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], tuple[WhisperSignModel, Path]]:
    """Return a function that returns a network and its checkpoint, and exports them once.

    The export takes seconds, and pytest would rebuild a fixture whenever its parameters change.
    """

    @cache
    def get(second_pass: str) -> tuple[WhisperSignModel, Path]:
        network = make_network(second_pass)
        path = tmp_path_factory.mktemp("run") / "run"
        metadata = CheckpointMetadata(
            name="small", config=network.config, glosses=GLOSSES, recipe=Recipe()
        )
        network.save_checkpoint(path, metadata)
        export(*WhisperSignModel.load_checkpoint(path), path / "model.onnx")
        return network, path

    return get


@pytest.fixture(scope="session", params=SECOND_PASSES)
def exported(request: pytest.FixtureRequest, exports) -> tuple[WhisperSignModel, Path]:
    return exports(request.param)


@pytest.fixture(scope="session")
def network(exported) -> WhisperSignModel:
    """Return the network, with each kind of second pass in turn."""
    return exported[0]


@pytest.fixture(scope="session")
def checkpoint(exported) -> Path:
    """Return the network's checkpoint; its folder has ``model.onnx`` and ``model.rescore.onnx``."""
    return exported[1]


@pytest.fixture
def clip():
    """Return features ``(frames, 42, 7)`` of any length."""
    return lambda frames: made_up_features(np.random.default_rng(frames), frames)
