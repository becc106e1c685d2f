# SPDX-License-Identifier: MIT
"""Bad input to `train`: one line that names what is at fault, code 2, before the first step."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from whispersign_model.cli.main import main
from whispersign_model.training import callbacks

RECIPE = """
size: tiny
batch_size: 8
workers: 0
stages:
  - {name: frontend, epochs: 1, learning_rate: 1.0e-3, alpha: 1.0, train: [frontend],
     auxiliary: true}
  - {name: joint, epochs: 1, learning_rate: 1.0e-3}
"""
CLIP = "train/features/2-3.npy"


def train(dataset: Path, *options: object) -> int:
    words = ["train", "--config", dataset.parent / "recipe.yaml", "--data", dataset, "--quiet"]
    return main([str(word) for word in [*words, "--out", dataset.parent / "run", *options]])


@pytest.fixture(autouse=True)
def recipe(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)


def put(value: float) -> Callable[[Path], None]:
    def corrupt(dataset: Path) -> None:
        frames = np.load(dataset / CLIP)
        frames[3, 30, 1] = value
        np.save(dataset / CLIP, frames)

    return corrupt


def cut(size: int) -> Callable[[Path], None]:
    def corrupt(dataset: Path) -> None:
        (dataset / CLIP).write_bytes((dataset / CLIP).read_bytes()[:size])

    return corrupt


def label(*ids: int) -> Callable[[Path], None]:
    def corrupt(dataset: Path) -> None:
        (dataset / "vocabulary.json").write_text('{"glosses": ["A", "B", "C"]}')
        np.save(dataset / "train/labels/2-3.npy", np.array(ids, int))

    return corrupt


def named_twice(dataset: Path) -> None:
    entry = {"name": "2-3", "split": "train", "frames": 39}
    manifest = {"format": 1, "recipe": {}, "recordings": [entry, entry]}
    (dataset / "manifest.json").write_text(json.dumps(manifest))


def without_glosses(dataset: Path) -> None:
    for file in (dataset / "val/labels").iterdir():
        np.save(file, np.array([], int))


@pytest.mark.parametrize(
    ("corrupt", "names", "says"),
    [
        (put(np.nan), CLIP, "holds NaN or infinity"),
        (put(np.inf), CLIP, "holds NaN or infinity"),
        (cut(0), CLIP, "is empty, truncated"),
        (cut(9000), CLIP, "is empty, truncated"),
        (label(4), "train/labels/2-3.npy", "label 4 is outside the vocabulary (1 to 3)"),
        (label(0), "train/labels/2-3.npy", "label 0 is outside the vocabulary"),
        (named_twice, "manifest.json", "names train/2-3 twice"),
        (lambda dataset: (dataset / CLIP).unlink(), "train/labels/2-3.npy", "has no partner"),
        (lambda dataset: shutil.rmtree(dataset / "train"), "train", "holds no examples"),
        (shutil.rmtree, "", "does not exist"),
        (without_glosses, "val", "has no glosses for validation"),
    ],
)
def test_a_dataset_with_a_fault_is_refused(dataset, capsys, corrupt, names, says) -> None:
    corrupt(dataset)
    assert train(dataset) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"{dataset / names}" in told
    assert says in told
    assert not (dataset.parent / "run").exists()


def change(before: str, after: str) -> Callable[[Path], None]:
    def corrupt(folder: Path) -> None:
        (folder / "recipe.yaml").write_text(RECIPE.replace(before, after))

    return corrupt


def a_file(folder: Path) -> None:
    (folder / "run").write_text("no folder")


def a_folder(folder: Path) -> None:
    (folder / "recipe.yaml").unlink()
    (folder / "recipe.yaml").mkdir()


@pytest.mark.parametrize(
    ("corrupt", "options", "says"),
    [
        (lambda folder: (folder / "recipe.yaml").unlink(), (), "recipe.yaml: cannot be read (No"),
        (a_folder, (), "recipe.yaml: cannot be read (Is a directory)"),
        (a_file, (), "run: cannot be written"),
        (change("epochs: 1", "epochs: 0"), (), "every stage has 0 epochs"),
        (change("train: [frontend]", "train: []"), (), "stages.0.train"),
        (
            change("train: [frontend]", "train: [ctc]"),
            (),
            "stage frontend: its loss does not train any of ['ctc']",
        ),
        (change("workers: 0", "precision: 8"), (), "precision"),
        (change("workers: 0", "precision: 16-mixed"), (), "precision: 16-mixed needs a GPU"),
        (change("workers: 0", "accumulate: 0"), (), "accumulate"),
        (change("workers: 0", "surprise: 1"), (), "surprise"),
        (change("workers: 0", "weight_decay: .inf"), (), "weight_decay"),
        (change("workers: 0", "seed: -5"), (), "seed"),
        (
            change("learning_rate: 1.0e-3}", "learning_rate: 1.0e-3, chunks: []}"),
            (),
            "stages.1.chunks",
        ),
        (
            change("rate: 1.0e-3}", "rate: 1.0e-3, augment: false, augmentation: {rotatoin: 3}}"),
            (),
            "rotatoin",
        ),
        (change("", ""), ("--devices", "0"), "--devices 0: is below 1"),
        (change("", ""), ("--stage", "3"), "--stage: 3 is not one of 1 to 2"),
        (change("", ""), ("--init", "nowhere"), "nowhere: does not exist"),
    ],
)
def test_a_faulty_recipe_or_option_is_refused(dataset, capsys, corrupt, options, says) -> None:
    corrupt(dataset.parent)
    assert train(dataset, "--device", "cpu", *options) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert says in told


def test_a_full_disk_is_said_and_leaves_what_can_be_gone_on_with(
    dataset, capsys, monkeypatch
) -> None:
    writes, replace_file = [], callbacks.replace_file

    def fill(path: Path, data: bytes) -> None:
        writes.append(path)
        if len(writes) == 2:
            raise OSError(28, "No space left on device", str(path))
        replace_file(path, data)

    monkeypatch.setattr(callbacks, "replace_file", fill)
    assert train(dataset) == 2
    state = dataset.parent / "run/last.ckpt"
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"{state}: cannot be written or read (No space left on device)" in told
    assert f"resume with: --resume {state}" in told
    assert "error: " in (dataset.parent / "run/train.log").read_text().splitlines()[-1]
    assert train(dataset, "--resume", state) == 0
    assert json.loads((dataset.parent / "run/metrics.json").read_text())["stages"][1]["epochs"] == 1


def test_a_warm_up_alone_leaves_a_network_to_start_from(dataset, tmp_path) -> None:
    assert train(dataset, "--stage", "1") == 0
    words = ["--out", tmp_path / "second", "--init", tmp_path / "run", "--stage", "2"]
    assert train(dataset, *words) == 0
