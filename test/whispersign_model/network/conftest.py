# SPDX-License-Identifier: MIT
"""A small network and batches of random features."""

import pytest
import torch

from whispersign_model.network.config import ModelConfig
from whispersign_model.network.model import WhisperSignModel


@pytest.fixture
def model(request: pytest.FixtureRequest) -> WhisperSignModel:
    """Return a tiny network for five glosses; the parameter sets ``utterance_frames``."""
    torch.manual_seed(0)
    frames = getattr(request, "param", 0)
    config = ModelConfig().changed({"decoder": {"utterance_frames": frames}})
    return WhisperSignModel(config.with_vocabulary(5)).eval()


def batch(lengths: list[int], garbage: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return features ``(B, T, 42, 7)`` with ``garbage`` in the padding, and their lengths."""
    generator = torch.Generator().manual_seed(1)
    data = torch.randn(len(lengths), max(lengths), 42, 7, generator=generator)
    data[..., 6] = 1
    for row, length in enumerate(lengths):
        data[row, length:] = garbage
    return data, torch.tensor(lengths)


@pytest.fixture(name="batch", scope="session")
def _batch():
    return batch
