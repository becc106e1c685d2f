# SPDX-License-Identifier: MIT
"""From files to batches."""

import gc
import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
from torch.utils.data import _utils

from whispersign_model.datasets.dataset import Dataset
from whispersign_model.errors import ConfigError, DatasetError
from whispersign_model.features.end_padding import END_PADDING
from whispersign_model.features.recipe import Recipe
from whispersign_model.training_data import clip_store
from whispersign_model.training_data.augmentation import Augmentation
from whispersign_model.training_data.batching import Index
from whispersign_model.training_data.loader import (
    Clips,
    collate,
    loader,
    suitable_batch_size,
    training_splits,
)


@pytest.fixture(autouse=True, scope="module")
def quick_end():
    """Shorten the five seconds that PyTorch waits for a loading process after a fault."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_utils, "MP_STATUS_CHECK_INTERVAL", 0.1)
        yield
        gc.collect()  # ends the processes that an exception's traceback kept


def test_recordings_are_held_out_where_there_is_no_validation_split(dataset):
    assert training_splits(Dataset.open(dataset))[2] == ""
    shutil.rmtree(dataset / "val")
    training, validation, note = training_splits(Dataset.open(dataset))
    assert "every 8th recording" in note
    assert (len(training), len(validation)) == (21, 3)
    assert not {example.name for example in training} & {example.name for example in validation}
    empty = Dataset(dataset, (), "", Recipe(), {"train": tuple(training)})
    with pytest.raises(DatasetError, match="holds no gloss"):
        training_splits(empty)
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
    made = [clips[Index(0, i)] for i in range(4)]
    batch = collate(made)
    assert batch.lengths.tolist() == [len(clip.features) for clip in made]
    for clip in made:
        assert clip.features[-END_PADDING - 1].any()
        assert not clip.features[-END_PADDING:].any()
    assert len(set(batch.lengths.tolist())) > 1
    assert batch.target_lengths.tolist() == [1] * 4
    for row, length in zip(batch.features, batch.lengths):
        assert not row[int(length) :].any()
        assert row[: int(length)].any()


def test_segments_are_drawn_only_for_a_network_that_spots(dataset):
    examples = Dataset.open(dataset).split("train")
    augmentation = Augmentation(sentence=1, idle=1)
    plain = Clips(examples, Recipe(), 4, seed=0, augmentation=augmentation)
    detects = Clips(
        examples, Recipe(), 4, seed=0, augmentation=augmentation, candidate_segments=[6, 10]
    )
    made = [detects[Index(0, number)] for number in range(4)]
    for number, clip in enumerate(made):
        other = plain[Index(0, number)]
        assert np.array_equal(clip.features, other.features)
        assert other.segments.shape == (0, 3)
        glosses = clip.segments[:, 2]
        assert glosses[glosses > 0].tolist() == clip.labels.tolist()
        first, last = clip.segments[glosses == 0, :2].T
        assert (last - first >= 24).all()
        assert (last - first <= 40).all()
        assert clip.segments[:, 1].max() <= len(clip.features) - END_PADDING
    batch = collate(made)
    rows = batch.segments[:, 0]
    assert rows.unique().tolist() == [0, 1, 2, 3]
    for row, clip in enumerate(made):
        assert batch.segments[rows == row, 1:].tolist() == clip.segments.tolist()
    assert collate([plain[Index(0, 0)]]).segments.shape == (0, 4)


def test_a_clip_does_not_depend_on_who_makes_it_and_when(dataset):
    examples = Dataset.open(dataset).split("train")
    augmentation = Augmentation(sentence=0.5, camera=0.5, window=0.5, idle=0.5)
    first = Clips(examples, Recipe(), 4, seed=0, augmentation=augmentation)
    other = Clips(examples, Recipe(), 4, seed=0, augmentation=augmentation)
    expected = [first[Index(2, i)] for i in range(6)]
    for i in (5, 3, 0):
        assert np.array_equal(other[Index(2, i)][0], expected[i][0])
        assert np.array_equal(other[Index(2, i)][1], expected[i][1])
    reseeded = first.varied(augmentation, seed=1)
    assert reseeded.store is first.store
    assert any(
        reseeded[Index(2, i)][0].shape != expected[i][0].shape
        or not np.array_equal(reseeded[Index(2, i)][0], expected[i][0])
        for i in range(6)
    )


def test_planned_lengths_are_those_of_the_clips(dataset):
    examples = Dataset.open(dataset).split("train")
    clips = Clips(examples, Recipe(), 4, seed=0, augmentation=Augmentation())
    planned = clips.planned_lengths(3)
    assert planned == [len(clips[Index(3, i)][0]) - END_PADDING for i in range(len(clips))]
    assert planned != clips.planned_lengths(4)


def test_velocity_follows_from_the_noisy_positions(dataset):
    examples = Dataset.open(dataset).split("train")
    recipe = Recipe(scaling="none", location="sensor")
    clips = Clips(examples, recipe, 4, seed=0, augmentation=Augmentation(noise=0.1))
    wrist = clips[Index(0, 0)][0][:-END_PADDING, 21]
    steps = np.diff(wrist[:, :3], axis=0) * 60
    assert np.corrcoef(steps.ravel(), wrist[1:, 3:6].ravel())[0, 1] > 0.99
    assert not wrist[0, 3:6].any()


def test_glosses_whose_side_has_a_meaning_are_not_mirrored(dataset):
    examples = Dataset.open(dataset).split("train")
    mirrored = Augmentation(mirror=1, unmirrored=("two",))
    glosses = ("one", "two", "three")
    clips = Clips(examples, Recipe(), 4, seed=0, augmentation=mirrored, glosses=glosses)
    for number, example in enumerate(examples):
        left = clips[Index(0, number)][0][:, :21, 6].any()
        assert left == (example.labels[0] != 2)
    with pytest.raises(ConfigError, match="'two'"):
        Clips(examples, Recipe(), 4, seed=0, augmentation=mirrored, glosses=("one",))


def test_validation_features_are_made_once(dataset, monkeypatch):
    clips = Clips(Dataset.open(dataset).split("val"), Recipe(), 4, seed=0)
    first = clips[Index(0, 1)][0]
    assert clips[Index(7, 1)][0] is first


def test_velocity_does_not_run_across_a_jump_in_time(dataset):
    example = replace(Dataset.open(dataset).split("train")[0], restarts=(0, 18))
    still = Augmentation(speed=0, warp=0, crop=0, frame_mask=0, finger_mask=0)
    recipe = Recipe(scaling="none")
    features = Clips([example], recipe, 4, seed=0, augmentation=still)[Index(0, 0)][0]
    moving = features[:-END_PADDING, 21, 3:6].any(axis=1)
    assert np.flatnonzero(~moving).tolist() == [0, 18]


def spoilt_vanished(path):
    path.unlink()


def spoilt_truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def spoilt_shortened(path):
    np.save(path, np.load(path)[:-1])


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("corrupt", [spoilt_vanished, spoilt_truncated, spoilt_shortened])
def test_a_fault_in_a_loading_process_is_told_as_it_is(dataset, monkeypatch, workers, corrupt):
    monkeypatch.setattr(clip_store, "KEPT", 0)
    examples = Dataset.open(dataset).split("train")
    clips = Clips(examples, Recipe(), 4, seed=0, augmentation=Augmentation())
    corrupt(examples[3].features_path)
    with pytest.raises(DatasetError) as direct:
        clips[Index(0, 3)]
    with pytest.raises(DatasetError) as told:
        list(loader(clips, 4, workers, seed=0))
    assert str(told.value) == str(direct.value)
    assert str(told.value).startswith(f"{examples[3].features_path}: ")


def test_a_loading_process_that_the_system_ends_is_told_of(dataset, monkeypatch):
    clips = Clips(Dataset.open(dataset).split("train"), Recipe(), 4, seed=0)
    monkeypatch.setattr(Clips, "__getitem__", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(DatasetError, match=r"a loading process: died .*workers: 0"):
        list(loader(clips, 4, 1, seed=0))
