# SPDX-License-Identifier: MIT
"""Spans from forced alignment: in order, without gaps, from the first seen frame to the last."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from whispersign_model.configuration import config_file
from whispersign_model.datasets.dataset import Dataset
from whispersign_model.features.recipe import Recipe
from whispersign_model.network.config import load_model_config
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.recordings.recording import Segment
from whispersign_model.training import segmentation
from whispersign_model.training.segmentation import aligned_spans
from whispersign_model.training_data.augmentation import Augmentation
from whispersign_model.training_data.batching import Index
from whispersign_model.training_data.loader import Clips


@pytest.fixture
def model():
    torch.manual_seed(0)
    return WhisperSignModel(load_model_config(config_file("model/tiny.yaml")).with_vocabulary(3))


@pytest.fixture
def clips(dataset):
    first, second = Dataset.open(dataset).split("train")[:2]
    sentence = replace(first, labels=np.array([1, 3]))
    timed = replace(second, segments=(Segment(("b",), 0, 300_000_000),))
    return Clips([sentence, timed], Recipe(), 4, 0)


def test_recordings_without_times_get_them_and_others_keep_theirs(clips, model):
    assert clips.store.spans[0] is None
    found = aligned_spans(model, clips)
    (start, middle), (again, end) = found[0]
    assert start == 0 < middle == again < end == clips.lengths[0]
    assert found[1] == clips.store.spans[1]


def test_a_sign_reaches_to_the_middle_between_peaks_and_is_never_empty(clips, model, monkeypatch):
    def peaks(*steps):
        monkeypatch.setattr(segmentation, "align", lambda *_: [(step, step) for step in steps])
        return [middle for _, middle in aligned_spans(model, clips)[0]]

    frames = clips.lengths[0]
    assert peaks(1, 4) == [10, frames]
    assert peaks(0, 0) == [1, frames]
    assert peaks(999, 999) == [frames - 1, frames]


def test_windows_are_cut_by_what_was_found(clips):
    augmentation = Augmentation(window=1, window_seconds=0.1, crop=0, speed=0, warp=0)
    frames = clips.lengths[0]
    whole = clips.varied(augmentation, 0)
    assert {len(whole[Index(epoch, 0)][1]) for epoch in range(8)} == {2}
    halves = (0, frames // 2), (frames // 2, frames)
    cut = clips.with_spans([halves, None]).varied(augmentation, 0)
    made = [cut[Index(epoch, 0)] for epoch in range(8)]
    assert {tuple(clip.labels) for clip in made} == {(1,), (3,)}
    assert clips.store.spans[0] is None
