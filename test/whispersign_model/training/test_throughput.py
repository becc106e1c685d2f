# SPDX-License-Identifier: MIT
"""Figures of loading count real frames, and padding for itself."""

import pytest
import torch

from whispersign_model.datasets.dataset import Dataset
from whispersign_model.features.recipe import Recipe
from whispersign_model.training.throughput import (
    FIXED,
    LoadingFigures,
    measure_loading,
    padded_to,
    real_frames_per_s,
)
from whispersign_model.training_data.augmentation import Augmentation
from whispersign_model.training_data.loader import Clips, loader


def test_figures_are_of_real_frames(dataset):
    clips = Clips(Dataset.open(dataset).split("train"), Recipe(), 4, 0, Augmentation())
    trained = []
    figures = measure_loading(clips, trained.append, batch_size=6, steps=2, rounds=1)
    assert [batch.features.shape[1] == FIXED for batch in trained] == [False] * 3 + [True]
    assert 0 < figures.padding < 0.15
    assert figures.loader_frames_per_s > 0
    figures = LoadingFigures(600.0, 200.0, 0.0, 20.0)
    assert (figures.ratio, figures.gain) == (pytest.approx(3.0), pytest.approx(10.0))


def test_padding_is_no_frame_that_was_trained_on(dataset, monkeypatch):
    clock = iter((10.0, 14.0))
    monkeypatch.setattr("time.process_time", lambda: next(clock))
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    clips = Clips(Dataset.open(dataset).split("train"), Recipe(), 4, 0)
    batch = next(iter(loader(clips, 6, workers=0, seed=None)))
    longer = padded_to(batch, FIXED)
    assert longer.features.shape[1] == FIXED
    assert torch.equal(longer.features[:, : batch.features.shape[1]], batch.features)
    assert not longer.features[:, batch.features.shape[1] :].any()
    assert padded_to(longer, 8).features.shape[1] == FIXED
    assert real_frames_per_s(lambda batch: None, [longer]) == int(batch.lengths.sum()) / 2.0
