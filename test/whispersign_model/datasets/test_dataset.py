# SPDX-License-Identifier: MIT
"""Datasets are checked whole when opened; each fault is one line with the file's name."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from whispersign_model.datasets.conversion import ConversionOptions, Source, convert
from whispersign_model.datasets.dataset import Dataset
from whispersign_model.errors import DatasetError
from whispersign_model.features.recipe import Recipe, Smoothing


@pytest.fixture
def dataset(tmp_path, make_recording):
    """A dataset of ``train/a``, ``train/b`` and ``val/c``, all of one gloss."""
    out = tmp_path / "dataset"
    given = [("train", "a"), ("train", "b"), ("val", "c")]
    recipe = Recipe(smoothing=Smoothing(kind="none"))
    recordings = [make_recording(name=name, split=split) for split, name in given]
    convert(out, map(Source.of, recordings), ConversionOptions(recipe=recipe))
    return out


def edit_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_was_written_is_read(dataset, make_recording):
    data = Dataset.open(dataset)
    assert data.glosses == ("HELLO",)
    assert data.recipe.smoothing.kind == "none"
    assert [example.name for example in data.split("train")] == ["a", "b"]
    (example,) = data.split("val")
    assert (example.signer, example.source) == ("anna", "leap")
    assert example.labels.tolist() == [1]
    assert example.labels.dtype == np.int64
    (segment,) = example.segments
    assert (segment.glosses, segment.start) == (("HELLO",), 0)
    assert segment.end == pytest.approx(make_recording().duration * 1e9, abs=2000)
    features = example.features()
    assert isinstance(features, np.memmap)
    assert features.shape == (example.frames, 42, 7)
    assert example.restart_mask().tolist() == [True] + [False] * (example.frames - 1)


def test_signers_that_splits_share_are_warned_of(dataset):
    assert Dataset.open(dataset).warnings() == ["train and val share 1 signers (anna)"]
    manifest = json.loads((dataset / "manifest.json").read_text())
    manifest["recordings"][2]["signer"] = "bea"
    edit_json(dataset / "manifest.json", recordings=manifest["recordings"])
    assert Dataset.open(dataset).warnings() == []
    (dataset / "manifest.json").unlink()  # nobody knows the signers of plain folders
    assert Dataset.open(dataset).warnings() == []


def test_empty_split_is_told_when_asked_for(dataset):
    with pytest.raises(DatasetError, match="test: holds no examples; the dataset has train, val"):
        Dataset.open(dataset).split("test")


def test_plain_folders(dataset):
    (dataset / "manifest.json").unlink()
    (dataset / "vocabulary.json").unlink()
    shutil.rmtree(dataset / "test")
    np.save(dataset / "train" / "labels" / "b.npy", np.array([1, 3], dtype=np.uint8))
    whole = np.load(dataset / "val" / "features" / "c.npy")
    np.save(dataset / "val" / "features" / "c.npy", whole.astype(np.float64))
    data = Dataset.open(dataset)
    assert data.glosses == ("1", "2", "3")
    assert data.recipe == Recipe()
    assert data.split("train")[1].labels.dtype == np.int64
    assert data.split("val")[0].features().dtype == np.float32


def test_labels_may_be_empty(dataset):
    np.save(dataset / "train" / "labels" / "b.npy", np.zeros(0, np.int64))
    assert [len(example.labels) for example in Dataset.open(dataset).split("train")] == [1, 0]
    for part in ("manifest.json", "vocabulary.json"):
        (dataset / part).unlink()
    assert Dataset.open(dataset).glosses == ("1",)


def test_vocabulary_alone_is_honoured(dataset):
    (dataset / "manifest.json").unlink()
    edit_json(dataset / "vocabulary.json", glosses=["HELLO", "BYE"])
    assert Dataset.open(dataset).glosses == ("HELLO", "BYE")


def features_with(change):
    def apply(root):
        path = root / "train" / "features" / "b.npy"
        np.save(path, change(np.load(path)))

    return apply


def labels_of(*values, dtype=np.int64):
    return lambda root: np.save(root / "train" / "labels" / "b.npy", np.array(values, dtype=dtype))


def cut(part, length):
    def apply(root):
        path = root / "train" / part / "b.npy"
        path.write_bytes(path.read_bytes()[:length])

    return apply


def corrupt(frames):
    frames[len(frames) - 1, 41, 6] = np.nan
    return frames


def manifest_with(**changes):
    return lambda root: edit_json(root / "manifest.json", **changes)


@pytest.mark.parametrize(
    ("break_it", "fault"),
    [
        (lambda root: shutil.rmtree(root), "dataset: does not exist"),
        (lambda root: [shutil.rmtree(root / s) for s in ("train", "val", "test")], "has none of"),
        (lambda root: shutil.rmtree(root / "val"), "val: is missing, but manifest.json has it"),
        (lambda root: shutil.rmtree(root / "train" / "labels"), "train/labels: is missing"),
        (lambda root: (root / "train/labels/b.npy").unlink(), "b.npy: has no partner labels/b.npy"),
        (lambda root: (root / "train/features/b.npy").unlink(), "has no partner features/b.npy"),
        (
            lambda root: [(root / "train" / p / "b.npy").unlink() for p in ("features", "labels")],
            "b.npy: is missing, but manifest.json has it",
        ),
        (features_with(corrupt), "features/b.npy: holds NaN or infinity"),
        (features_with(lambda x: x[:, :21]), r"b.npy: is float32 \(\d+, 21, 7\), not float32"),
        (features_with(lambda x: x.astype(np.int32)), "b.npy: is int32"),
        (features_with(lambda x: x[:0]), "b.npy: has no frames|b.npy: is empty"),
        (features_with(lambda x: x[1:]), r"b.npy: has \d+ frames, manifest.json says"),
        (cut("features", 0), "features/b.npy: is empty, truncated or not an .npy file"),
        (cut("features", 100), "features/b.npy: is empty, truncated or not an .npy file"),
        (cut("features", 5000), "features/b.npy: is empty, truncated or not an .npy file"),
        (cut("labels", 130), "labels/b.npy: is empty, truncated or not an .npy file"),
        (labels_of(2), r"labels/b.npy: label 2 is outside the vocabulary \(1 to 1\)"),
        (labels_of(1, 0), r"labels/b.npy: label 0 is outside"),
        (labels_of(dtype=float), r"labels/b.npy: is float64 \(0,\), not integers"),
        (labels_of(1.0, dtype=float), r"labels/b.npy: is float64 \(1,\), not integers"),
        (labels_of([1]), r"labels/b.npy: is int64 \(1, 1\), not integers"),
        (manifest_with(format=2), "manifest.json: is of format 2, not 1; convert again"),
        (manifest_with(extra=1), "manifest.json: extra: Extra inputs are not permitted"),
        (manifest_with(recipe={"rate": 5}), "manifest.json: rate: "),
        (manifest_with(recordings=[{"name": "a"}]), r"manifest.json: recordings.0.split: Field re"),
        (
            manifest_with(recordings=[{"name": "a", "split": "dev", "frames": 1}]),
            "manifest.json: recording a is in split 'dev'",
        ),
        (
            manifest_with(recordings=[{"name": "a", "split": "train", "frames": 1}] * 2),
            "manifest.json: names train/a twice",
        ),
        (lambda root: (root / "manifest.json").write_text("{"), "manifest.json: is not valid JSON"),
        (
            lambda root: edit_json(root / "vocabulary.json", glosses=["HELLO", "HELLO"]),
            "vocabulary.json: glosses: .* is named twice",
        ),
    ],
)
def test_faults_name_the_file(dataset, break_it, fault):
    break_it(dataset)
    with pytest.raises(DatasetError, match=fault) as caught:
        Dataset.open(dataset)
    assert "\n" not in str(caught.value)


def test_file_that_manifest_does_not_know(dataset):
    for part in ("features", "labels"):
        shutil.copy(dataset / "train" / part / "b.npy", dataset / "train" / part / "d.npy")
    with pytest.raises(DatasetError, match=r"d\.npy: is not in manifest\.json"):
        Dataset.open(dataset)


def test_restarts_beyond_the_frames(dataset):
    manifest = json.loads((dataset / "manifest.json").read_text())
    manifest["recordings"][1]["restarts"] = [0, 10**6]
    edit_json(dataset / "manifest.json", recordings=manifest["recordings"])
    with pytest.raises(DatasetError, match="has restarts beyond its frames"):
        Dataset.open(dataset)


def test_labels_without_a_vocabulary_cannot_ask_for_endless_glosses(dataset):
    (dataset / "vocabulary.json").unlink()
    for file in (dataset / "train" / "labels").glob("*.npy"):
        np.save(file, np.array([1 << 62]))
    with pytest.raises(DatasetError, match=r"label 4611686018427387904 .* \(1 to 99999\)"):
        Dataset.open(dataset)
