"""Figures of loading count real frames, and padding for itself."""

import pytest

from whispersign_model.features.recipe import Recipe
from whispersign_model.recordings.dataset import Dataset
from whispersign_model.training.augmentation import Augmentation
from whispersign_model.training.data import Clips
from whispersign_model.training.throughput import LoadingFigures, measure_loading


def test_figures_are_of_real_frames(dataset):
    clips = Clips(Dataset.open(dataset).split("train"), Recipe(), 4, 0, Augmentation())
    trained = []
    figures = measure_loading(clips, trained.append, batch_size=6, steps=2, rounds=1)
    assert len(trained) == 3, "one to warm up, two that count"
    assert 0 < figures.padding < 0.15
    assert figures.loader_frames_per_s > 0
    assert LoadingFigures(600.0, 200.0, 0.0).ratio == pytest.approx(3.0)
