# SPDX-License-Identifier: MIT
"""What a run leaves to read: the log, the recipe, the metrics, and TensorBoard's curves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from whispersign_model.configuration import load_yaml
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.training.config import TrainingConfig
from whispersign_model.training.run_logger import RunLogger


def test_the_log_says_what_ran_and_how_it_ended(trained: Path) -> None:
    lines = (trained / "run/train.log").read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  \S", line) for line in lines)
    text = "\n".join(line[21:] for line in lines)
    assert "torch 2." in text
    assert f"data {trained / 'data'}: 3 glosses; train: 24 clips, 16 s, 0 signers; val: 6" in text
    assert "stage 2 of 2 (joint): 2 epochs, learning rate 0.001" in text
    epochs = re.findall(r"^(\w+) (\d)/\d: loss [\d.]+ \(CTC [\d.]+, attention", text, re.M)
    assert epochs == [("frontend", "1"), ("joint", "1"), ("joint", "2")]
    assert len(re.findall(r"WER [\d.]+ \(S \d+ D \d+ I \d+\), exact", text)) == 3
    assert len(re.findall(r"rate \d\.\d\de-0\d, gradient \d+\.\d\d, [\d.]+ s", text)) == 3
    assert "frontend 1/1" in next(line for line in lines if "best" not in line and "/1:" in line)
    assert re.search(r"finished: best WER [\d.]+ in epoch [23] of 3, \d+ s$", text)


def test_the_recipe_in_the_run_folder_is_the_one_used(trained: Path) -> None:
    used = load_yaml(TrainingConfig, trained / "recipe.yaml")
    assert load_yaml(TrainingConfig, trained / "run/recipe.yaml") == used


def test_metrics_are_of_the_best_network_and_of_the_run(trained: Path) -> None:
    metrics = json.loads((trained / "run/metrics.json").read_text())
    best = read_metadata(trained / "run")
    assert metrics["epoch"] == best.epoch
    assert metrics["val_wer"] == best.metrics["val_wer"]
    assert {"loss", "loss_ctc", "loss_attention", "val_accuracy"} <= metrics.keys()
    assert metrics["loss"] == pytest.approx(
        0.5 * metrics["loss_ctc"] + 0.5 * metrics["loss_attention"], rel=1e-5
    )
    warm_up, joint = metrics["stages"]
    assert (warm_up["name"], warm_up["epochs"], warm_up["best_val_wer"]) == ("frontend", 1, None)
    assert (joint["name"], joint["epochs"]) == ("joint", 2)
    assert joint["best_val_wer"] == best.metrics["val_wer"]
    assert joint["best_epoch"] + 1 == best.epoch
    assert metrics["seconds"] == pytest.approx(warm_up["seconds"] + joint["seconds"], abs=0.11)
    assert (metrics["training_clips"], metrics["validation_clips"]) == (24, 6)
    assert metrics["glosses"] == 3
    assert (metrics["seed"], metrics["processes"]) == (0, 1)
    assert {"whispersign", "python", "torch", "lightning", "numpy"} == metrics["versions"].keys()
    assert metrics["parameters"] > 100_000


def test_tensorboard_has_curves_hypotheses_and_confusions(trained: Path) -> None:
    events = EventAccumulator(str(trained / "run/stage2-joint"), {"tensors": 0, "images": 0})
    events.Reload()
    tags = events.Tags()
    losses = {"loss", "loss_ctc", "loss_attention", "gradient_norm", "learning_rate"}
    errors = {"val_wer", "val_accuracy", "val_substitutions", "val_deletions", "val_insertions"}
    assert losses | errors <= set(tags["scalars"])
    assert len(events.Scalars("val_wer")) == 2
    assert tags["images"] == ["confusions"]
    tables = events.Tensors("hypotheses/text_summary")
    assert len(tables) == 2
    table = tables[0].tensor_proto.string_val[0].decode()
    assert table.count("\n") == 1 + 6, "a title, a rule, and every clip of so few"
    assert "| 1-0 | 1 |" in table


def test_only_the_first_process_writes(tmp_path: Path) -> None:
    RunLogger(tmp_path, writes=False, append=False).write("nothing")
    assert not list(tmp_path.iterdir())
    logger = RunLogger(tmp_path, writes=True, append=False)
    logger.write("one\nline")
    RunLogger(tmp_path, writes=True, append=True).write("more")
    lines = (tmp_path / "train.log").read_text().splitlines()
    assert [line[21:] for line in lines] == ["one line", "more"]
    RunLogger(tmp_path, writes=True, append=False)
    assert (tmp_path / "train.log").read_text() == ""
