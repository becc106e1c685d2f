# SPDX-License-Identifier: MIT
"""Going on after a stop: only with the same training, and what is no state of one is said."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from whispersign_model.cli.main import main
from whispersign_model.training.run_folder import how_to_resume

Text = str | Path


def compress(file: Path) -> None:
    """Compress the content of a training state."""
    with zipfile.ZipFile(file) as source:
        content = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in content.items():
            target.writestr(name, data)


def go_on(folder: Path, *options: Text, resume: Text = "run/last.ckpt") -> int:
    words = ["train", "--config", folder / "recipe.yaml", "--data", folder / "data", "--quiet"]
    words += ["--out", folder / "run", "--resume", folder / resume, *options]
    return main([str(word) for word in words])


@pytest.fixture
def stopped(trained: Path, tmp_path: Path) -> Path:
    """A copy of a training that has ended."""
    shutil.copytree(trained, tmp_path / "copy")
    return tmp_path / "copy"


def change(folder: Path, before: str, after: str) -> None:
    text = (folder / "recipe.yaml").read_text()
    assert before in text
    (folder / "recipe.yaml").write_text(text.replace(before, after))


def other_dataset(folder: Path) -> None:
    np.save(folder / "data/train/labels/1-0.npy", np.array([2]))


def other_vocabulary(folder: Path) -> None:
    (folder / "data/vocabulary.json").write_text('{"glosses": ["A", "B", "C"]}')


def cut_off(folder: Path) -> None:
    file = folder / "run/last.ckpt"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize(
    ("corrupt", "says"),
    [
        (lambda folder: change(folder, "rate: 1.0e-3, alpha: 0.5", "rate: 2.0e-3"), "(stages"),
        (lambda folder: change(folder, "batch_size: 8", "batch_size: 6"), "(batch_size changed)"),
        (other_dataset, "belongs to a run with another dataset"),
        (other_vocabulary, "belongs to a run with another vocabulary"),
        (cut_off, "is damaged or not a training state"),
        (lambda folder: torch.save({"a": 1}, folder / "run/last.ckpt"), "not a training state"),
        (lambda folder: (folder / "run/last.ckpt").write_bytes(b""), "not a training state"),
        (lambda folder: compress(folder / "run/last.ckpt"), "not a training state"),
        (lambda folder: (folder / "run/last.ckpt").unlink(), "is not a file"),
    ],
)
def test_another_training_is_not_gone_on_with(stopped, capsys, corrupt, says) -> None:
    before = (stopped / "run/model.safetensors").read_bytes()
    corrupt(stopped)
    assert go_on(stopped) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"{stopped / 'run/last.ckpt'}: " in told
    assert says in told
    assert (stopped / "run/model.safetensors").read_bytes() == before


def test_another_stage_or_folder_is_refused(stopped, capsys) -> None:
    assert go_on(stopped, "--stage", "1") == 2
    assert "belongs to a run with other stages ([1, 2], not [1])" in capsys.readouterr().err
    (stopped / "elsewhere").mkdir()
    shutil.move(stopped / "run/last.ckpt", stopped / "elsewhere/last.ckpt")
    assert go_on(stopped, resume="elsewhere/last.ckpt") == 2
    assert f"give --out {stopped / 'elsewhere'}" in capsys.readouterr().err


def test_another_network_is_refused_and_the_same_is_not(stopped, capsys) -> None:
    assert go_on(stopped, "--model", "base") == 2
    told = capsys.readouterr().err
    assert f"--model: is not the network of {stopped / 'run/last.ckpt'}; omit --model" in told
    assert go_on(stopped, "--model", "tiny") == 0


@pytest.mark.parametrize("init", [None, Path("demo")])
def test_the_hint_can_be_followed(tmp_path, init) -> None:
    assert "nothing to resume" in how_to_resume(tmp_path, init)
    (tmp_path / "last.ckpt").touch()
    hint = f"resume with: --resume {tmp_path / 'last.ckpt'}"
    assert how_to_resume(tmp_path, init) == (hint if init is None else f"{hint} in place of --init")


def test_a_training_of_one_stage_goes_on_with_that_one(stopped) -> None:
    shutil.rmtree(stopped / "run")
    words = ["train", "--config", stopped / "recipe.yaml", "--data", stopped / "data", "--quiet"]
    assert main([str(word) for word in [*words, "--out", stopped / "run", "--stage", "1"]]) == 0
    metrics = (stopped / "run/metrics.json").read_text()
    assert go_on(stopped) == 0
    assert (stopped / "run/metrics.json").read_text() == metrics
    assert not list((stopped / "run").glob("stage2*"))


def test_workers_may_change_and_the_log_is_kept(stopped) -> None:
    log = (stopped / "run/train.log").read_text()
    metrics = (stopped / "run/metrics.json").read_text()
    change(stopped, "workers: 0", "workers: 1")
    assert go_on(stopped) == 0
    assert (stopped / "run/train.log").read_text().startswith(log)
    assert "resumed after 2 epochs of stage 2" in (stopped / "run/train.log").read_text()
    assert (stopped / "run/metrics.json").read_text() == metrics


def test_a_folder_that_holds_a_run_is_not_written_into(stopped, capsys) -> None:
    words = ["train", "--config", stopped / "recipe.yaml", "--data", stopped / "data"]
    words += ["--out", stopped / "run", "--quiet"]
    assert main([str(word) for word in words]) == 2
    told = capsys.readouterr().err
    assert f"{stopped / 'run'}: already holds a run (last.ckpt); choose another folder" in told
    assert f"--resume {stopped / 'run/last.ckpt'}" in told
