# SPDX-License-Identifier: MIT
"""Datasets are written whole, with every example in its split."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.datasets.dataset import Dataset
from whispersign_model.datasets.writer import DatasetWriter, check_target
from whispersign_model.errors import DatasetError, RecipeError
from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.features.recipe import Recipe
from whispersign_model.recordings.atomic import whole_folder
from whispersign_model.recordings.recording import Coordinates, Segment


def with_glosses(recording, *glosses):
    return replace(recording, segments=(replace(recording.segments[0], glosses=glosses),))


def write_dataset(out, recordings, recipe, language="", replace=False):
    """Write recordings, each with its split, as a conversion does."""
    target = check_target(out, replace)
    with whole_folder(target, DatasetError, replace=replace) as folder:
        writer = DatasetWriter(folder, recipe)
        for _, recording in recordings:
            writer.add(recording)
        writer.finish([split for split, _ in recordings], language)


def test_layout(tmp_path, make_recording):
    first = with_glosses(make_recording(90, name="a"), "HELLO", "EAT")
    second = with_glosses(make_recording(120, name="b", signer="bea"), "ünlü")
    out = tmp_path / "dataset"
    write_dataset(out, [("train", first), ("test", second)], Recipe(), language="gsg")

    assert json.loads((out / "vocabulary.json").read_text()) == {
        "glosses": ["EAT", "HELLO", "ünlü"],
        "language": "gsg",
    }
    features = np.load(out / "train" / "features" / "a.npy")
    labels = np.load(out / "train" / "labels" / "a.npy")
    assert (features.dtype, labels.dtype) == (np.float32, np.int64)
    assert labels.tolist() == [2, 1]
    assert np.load(out / "test" / "labels" / "b.npy").tolist() == [3]
    np.testing.assert_array_equal(features, Preprocessor(Recipe()).resample(first).frames)
    assert features.shape[1:] == (42, 7)
    assert len(features) == pytest.approx(first.duration * 60, abs=1.5)
    assert (out / "val" / "features").is_dir()

    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["format"] == 1
    assert Recipe.from_json(json.dumps(manifest["recipe"])) == Recipe()
    one, other = manifest["recordings"]
    assert one["segments"] == [
        {"gloss": gloss, "start": 0.0, "end": pytest.approx(first.duration, abs=1e-6)}
        for gloss in ("HELLO", "EAT")
    ]
    assert (one["frame_rate"], other["seconds"]) == (111.11, round(other["frames"] / 60, 3))
    assert {key: other[key] for key in ("name", "split", "signer", "source", "frames")} == {
        "name": "b",
        "split": "test",
        "signer": "bea",
        "source": "leap",
        "frames": len(np.load(out / "test" / "features" / "b.npy")),
    }


def test_equal_names_are_told_apart(tmp_path, make_recording):
    given = [("train", make_recording(90)), ("train", make_recording(120))]
    write_dataset(tmp_path / "dataset", given, Recipe())
    examples = Dataset.open(tmp_path / "dataset").split("train")
    assert [example.name for example in examples] == ["take", "take-2"]
    assert examples[0].frames < examples[1].frames


def test_jumps_in_time_are_kept_as_restarts(tmp_path, make_recording):
    recording = make_recording(200)
    stamps = recording.stamps.copy()
    stamps[100:] -= 3600 * 10**9
    segment = Segment(("A",), int(stamps[110]), int(stamps[150]))
    recording = replace(recording, stamps=stamps, segments=(segment,))
    write_dataset(tmp_path / "dataset", [("train", recording)], Recipe())
    (example,) = Dataset.open(tmp_path / "dataset").split("train")
    block = Preprocessor(Recipe()).resample(recording)
    np.testing.assert_array_equal(example.restart_mask(), block.restarts)
    assert len(example.restarts) == 2
    # The segment's time is that in the features, whatever the clock said.
    (found,) = example.segments
    start = (stamps[110] - stamps[100]) + example.restarts[1] * 10**9 // 60
    assert found.start == pytest.approx(start, abs=10**4)


def test_gloss_without_a_name(tmp_path, make_recording):
    nameless = make_recording(segments=(Segment(("A", ""), 0, 0),))
    with pytest.raises(DatasetError, match="take: has an empty gloss"):
        write_dataset(tmp_path / "dataset", [("train", nameless)], Recipe())
    assert list(tmp_path.iterdir()) == []


def test_recording_without_glosses_has_empty_labels(tmp_path, make_recording):
    given = [("train", make_recording(name="a")), ("val", make_recording(name="b", segments=()))]
    write_dataset(tmp_path / "dataset", given, Recipe())
    (example,) = Dataset.open(tmp_path / "dataset").split("val")
    assert (example.labels.tolist(), example.segments) == ([], ())


def test_recordings_without_hands_or_frames(tmp_path, make_recording):
    empty = replace(make_recording(0), segments=make_recording(2).segments)
    bare = make_recording(9)
    bare = replace(bare, positions=bare.positions * 0, confidence=bare.confidence * 0)
    for recording, fault in ((empty, "has no frame"), (bare, "no hand is tracked")):
        with pytest.raises(DatasetError, match=fault):
            write_dataset(tmp_path / "dataset", [("train", recording)], Recipe())


def test_a_slow_recording_is_not_one_without_hands(tmp_path, make_recording):
    """At 3 Hz, no gap is bridged, and a frame is hardly ever on the grid."""
    slow = make_recording(30)
    stamps = slow.stamps[0] + np.arange(30) * 10**9 // 3 + 7000 * np.arange(30) ** 2
    confidence = slow.confidence.copy()
    confidence[0] = 0
    slow = replace(slow, stamps=stamps, confidence=confidence)
    with pytest.raises(DatasetError, match=r"take: 3\.0 frames per second are too few"):
        write_dataset(tmp_path / "dataset", [("train", slow)], Recipe())


@pytest.mark.parametrize(
    "change", [{"smoothing": "moving_average(3)"}, {"coordinates": Coordinates.IMAGE_NORMALISED}]
)
def test_recordings_that_the_recipe_does_not_fit(tmp_path, make_recording, change):
    with pytest.raises(RecipeError, match="take: "):
        write_dataset(tmp_path / "dataset", [("train", make_recording(**change))], Recipe())


def test_split_that_does_not_exist(tmp_path, make_recording):
    with pytest.raises(DatasetError, match="take: split 'dev' is none of train, val, test"):
        write_dataset(tmp_path / "dataset", [("dev", make_recording())], Recipe())


def test_fault_in_the_middle_leaves_nothing(tmp_path, make_recording):
    def recordings():
        yield "train", make_recording()
        assert any(tmp_path.rglob("take.npy"))  # it has begun
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "dataset", recordings(), Recipe())
    assert list(tmp_path.iterdir()) == []


def test_only_a_dataset_is_replaced_and_only_on_demand(tmp_path, make_recording):
    out, given = tmp_path / "dataset", [("train", make_recording())]
    out.mkdir()
    write_dataset(out, given, Recipe())  # an empty folder is in nobody's way
    with pytest.raises(DatasetError, match=r"dataset: exists already; .*--force"):
        write_dataset(out, given, Recipe())
    write_dataset(out, [("val", make_recording(name="other"))], Recipe(), replace=True)
    assert [example.name for example in Dataset.open(out).split("val")] == ["other"]
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(DatasetError, match="photos: exists and is not a dataset"):
        write_dataset(tmp_path / "photos", given, Recipe(), replace=True)
    assert (tmp_path / "photos" / "cat.jpg").exists()
