"""From files to batches."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.features.recipe import Recipe
from whispersign_model.recordings.dataset import Dataset
from whispersign_model.training.augmentation import Augmentation
from whispersign_model.training.batching import Index
from whispersign_model.training.data import Clips, collate, suitable_batch_size, training_splits


def test_recordings_are_held_out_where_there_is_no_validation_split(dataset):
    assert training_splits(Dataset.open(dataset))[2] == ""
    shutil.rmtree(dataset / "val")
    training, validation, note = training_splits(Dataset.open(dataset))
    assert "every 8th recording" in note
    assert (len(training), len(validation)) == (21, 3)
    assert not {example.name for example in training} & {example.name for example in validation}
    signed = [replace(example, signer=example.name[-1]) for example in training]
    by_signer = Dataset(dataset, ("a", "b", "c"), "", Recipe(), {"train": tuple(signed)})
    training, validation, note = training_splits(by_signer)
    assert {example.signer for example in validation} == {"1"}
    assert "1" not in {example.signer for example in training}


@pytest.mark.parametrize(("clips", "size"), [(1000, 32), (512, 32), (128, 8), (24, 4), (3, 4)])
def test_small_sets_are_trained_in_smaller_batches(clips, size):
    assert suitable_batch_size(clips, 32) == size


def test_clips_vary_by_epoch_and_example_and_never_with_padding(dataset):
    examples = Dataset.open(dataset).split("train")
    clips = Clips(examples, Recipe(), 4, seed=0, augmentation=Augmentation())
    first, again, later = clips[Index(0, 1)], clips[Index(0, 1)], clips[Index(1, 1)]
    assert np.array_equal(first[0], again[0])
    assert first[0].shape != later[0].shape or not np.array_equal(first[0], later[0])
    batch = collate([clips[Index(0, i)] for i in range(4)])
    for row, length in zip(batch.features, batch.lengths):
        assert not row[int(length) :].any()
        assert row[: int(length)].any()
