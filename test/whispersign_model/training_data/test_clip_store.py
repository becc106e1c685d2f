# SPDX-License-Identifier: MIT
"""Clips are trimmed, checked, and kept."""

import numpy as np

from whispersign_model.datasets.dataset import Dataset
from whispersign_model.training_data.clip_store import ClipStore


def test_only_clips_that_are_varied_are_kept(dataset):
    examples = Dataset.open(dataset).split("train")
    kept, plain = (ClipStore(examples, 60.0, 4, keep=keep) for keep in (True, False))
    np.testing.assert_array_equal(plain.motion(0)[0], kept.motion(0)[0])
    assert plain.motion(0)[0] is not plain.motion(0)[0]
    assert kept.motion(0)[0] is kept.motion(0)[0]
