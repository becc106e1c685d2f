"""Segments from forced alignment: in order, without gaps, from the first seen frame to the last."""

from dataclasses import replace

import numpy as np
import torch

from whispersign_model.configuration import config_file
from whispersign_model.features.recipe import Recipe
from whispersign_model.network.config import load_model_config
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.recordings.dataset import Dataset
from whispersign_model.recordings.recording import Segment
from whispersign_model.training.segmentation import aligned_examples


def test_recordings_without_times_get_them_and_others_keep_theirs(dataset):
    torch.manual_seed(0)
    model = WhisperSignModel(load_model_config(config_file("model/tiny.yaml")).with_vocabulary(3))
    first, second = Dataset.open(dataset).split("train")[:2]
    sentence = replace(first, labels=np.array([1, 3]))
    timed = replace(second, segments=(Segment(("b",), 0, 300_000_000),))
    found = aligned_examples(model, [sentence, timed], Recipe(), ("a", "b", "c"))
    assert [segment.glosses for segment in found[0].segments] == [("a",), ("c",)]
    times = [(segment.start, segment.end) for segment in found[0].segments]
    assert times[0][0] == 0
    assert 0 < times[0][1] == times[1][0] < times[1][1]
    assert times[1][1] == round(first.frames / 60 * 1e9)
    assert found[1].segments == timed.segments
