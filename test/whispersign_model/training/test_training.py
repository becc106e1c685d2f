# SPDX-License-Identifier: MIT
"""Training: losses, the schedule, and a network that learns from files."""

import json
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from whispersign_model.cli.main import main
from whispersign_model.datasets.dataset import Dataset
from whispersign_model.evaluation.calibration import REJECTED, VARIED
from whispersign_model.evaluation.metrics import GlossErrors
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.training import training_run
from whispersign_model.training.config import StageConfig
from whispersign_model.training.losses import attention_loss, ctc_loss, hybrid_loss
from whispersign_model.training.module import TrainingModule, warm_up_cosine
from whispersign_model.training_data import clip_store
from whispersign_model.training_data.loader import Clips

RECIPE = """
size: tiny
batch_size: 8
workers: 0
averaging: 0.9
augmentation: {crop: 0, rotation: 1, shift: 0, hand_shift: 0, stretch: 0, speed: 0.1, warp: 0,
  finger_mask: 0, frame_mask: 0}
stages:
  - {name: frontend, epochs: 1, learning_rate: 1.0e-3, alpha: 1.0, train: [frontend],
     auxiliary: true}
  - {name: joint, epochs: 40, learning_rate: 1.0e-3, alpha: 0.5}
  - {name: realtime, epochs: 2, learning_rate: 1.0e-4, alpha: 0.3, chunks: [0, 4]}
"""


@pytest.fixture(autouse=True)
def recipe(tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPE)


def train(dataset, out, *options):
    recipe = dataset.parent / "recipe.yaml"
    words = ["train", "--config", recipe, "--data", dataset, "--out", out, "--quiet", *options]
    return main([str(word) for word in words])


def test_a_dataset_becomes_a_network_that_recognises_it(dataset, tmp_path, capsys):
    assert train(dataset, tmp_path / "run") == 0
    assert read_metadata(tmp_path / "run").metrics["val_accuracy"] == 1.0
    figures = tmp_path / "figures.json"
    for options in ([], ["--streaming"], ["--method", "beam"], ["--method", "greedy"]):
        words = ["evaluate", tmp_path / "run", "--data", dataset, "--json", figures, *options]
        assert main([str(word) for word in words]) == 0
        found = json.loads(figures.read_text())
        assert found["sequences"] == 6
        if "--method" in options:  # the first pass alone, after so few steps
            assert found["wer"] < 0.5
        else:
            assert found["accuracy"] >= 5 / 6, options
            assert found["wer"] <= 1 / 6
    assert " of 6 sequences" in capsys.readouterr().out


KILLED = """
import os, signal, sys
from whispersign_model.cli.main import main
from whispersign_model.training.module import TrainingModule

def kill(self, outputs, batch, batch_idx):
    if self.stage.name == "joint" and self.current_epoch == 5 and batch_idx == 2:
        os.kill(os.getpid(), signal.SIGKILL)

TrainingModule.on_train_batch_end = kill
main(sys.argv[1:])
"""


@pytest.mark.slow
def test_killed_training_goes_on_as_if_it_had_not_been(dataset, tmp_path):
    changed = RECIPE.replace("epochs: 40", "epochs: 8").replace("workers: 0", "workers: 1")
    changed += "accumulate: 2\npatience: 4\n"
    (tmp_path / "recipe.yaml").write_text(changed)
    assert train(dataset, tmp_path / "whole") == 0
    words = ["train", "--config", tmp_path / "recipe.yaml", "--data", dataset, "--quiet"]
    words = [str(word) for word in [*words, "--out", tmp_path / "cut"]]
    killed = subprocess.run([sys.executable, "-c", KILLED, *words], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert "joint 5/8" in (tmp_path / "cut/train.log").read_text().splitlines()[-1]
    assert train(dataset, tmp_path / "cut", "--resume", tmp_path / "cut/last.ckpt") == 0
    whole, cut = (read_metadata(tmp_path / name) for name in ("whole", "cut"))
    assert whole.losses == cut.losses
    assert whole.metrics == cut.metrics
    assert whole.weights_sha256 == cut.weights_sha256
    assert whole.confidence == cut.confidence
    assert "confidences" in (tmp_path / "whole/train.log").read_text()
    whole, cut = (figures(tmp_path / name) for name in ("whole", "cut"))
    assert whole == cut


def test_windows_of_a_resumed_stage_are_those_of_its_start(dataset, tmp_path, monkeypatch):
    """Sentences without times are cut where the network of the stage's start says."""
    for labels in dataset.glob("*/labels/*.npy"):
        np.save(labels, np.array([1, 3]))
    changed = (
        RECIPE[: RECIPE.index("stages:")]
        + """stages:
  - {name: joint, epochs: 2, learning_rate: 1.0e-3, alpha: 0.5}
  - {name: realtime, epochs: 2, learning_rate: 1.0e-3, alpha: 0.5,
     augmentation: {window: 1, window_seconds: 0.1}}
"""
    )
    (tmp_path / "recipe.yaml").write_text(changed)
    found = []
    align = training_run.aligned_spans
    monkeypatch.setattr(
        training_run, "aligned_spans", lambda *a: found.append(align(*a)) or found[-1]
    )
    assert train(dataset, tmp_path / "whole") == 0
    assert len(found) == 1
    assert None not in found[0]
    state = torch.load(tmp_path / "whole/last.ckpt", weights_only=True)["callbacks"]["Stage"]
    assert state["spans"] == found[0]

    def stop(self):
        if self.stage.name == "realtime" and self.current_epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(TrainingModule, "on_train_epoch_end", stop, raising=False)
        assert train(dataset, tmp_path / "cut") == 130
    monkeypatch.setattr(training_run, "aligned_spans", None)
    assert train(dataset, tmp_path / "cut", "--resume", tmp_path / "cut/last.ckpt") == 0
    whole, cut = (read_metadata(tmp_path / name) for name in ("whole", "cut"))
    assert whole.losses == cut.losses
    assert whole.weights_sha256 == cut.weights_sha256


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_vanishes_during_training_is_one_line(
    dataset, tmp_path, capsys, monkeypatch, workers
):
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("workers: 0", f"workers: {workers}"))
    monkeypatch.setattr(clip_store, "KEPT", 0)
    path = Dataset.open(dataset).split("train")[3].features_path

    def lose(self):
        path.unlink(missing_ok=True)

    monkeypatch.setattr(TrainingModule, "on_train_epoch_end", lose, raising=False)
    assert train(dataset, tmp_path / "run") == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith(f"whispersign: error: {path}: ")
    assert str(path) in (tmp_path / "run/train.log").read_text().splitlines()[-1]


def figures(run):
    """All lines of a run's log about epochs, and its metrics, without times."""
    lines = [line[21:] for line in (run / "train.log").read_text().splitlines()]
    epochs = [re.sub(r", [0-9.]+ s", "", line) for line in lines if ": loss " in line]
    metrics = json.loads((run / "metrics.json").read_text())
    for part in (metrics, *metrics["stages"]):
        part.pop("seconds")
    return epochs, metrics


@pytest.mark.parametrize("stage", ["frontend", "joint", "realtime"])
def test_interrupted_training_says_how_to_go_on(dataset, tmp_path, capsys, monkeypatch, stage):
    from whispersign_model.training import module

    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("epochs: 40", "epochs: 2"))

    def interrupt(self):
        if self.stage.name == stage and self.current_epoch == self.stage.epochs - 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(module.TrainingModule, "on_train_epoch_end", interrupt, raising=False)
    assert train(dataset, tmp_path / "run") == 130
    told = capsys.readouterr()
    state = tmp_path / "run/last.ckpt"
    hint = "no epoch was completed" if stage == "frontend" else f"resume with: --resume {state}"
    assert hint in told.out
    assert hint in (tmp_path / "run/train.log").read_text().splitlines()[-1]
    assert state.exists() == (stage != "frontend")
    assert told.err.splitlines()[-1] == "whispersign: interrupted"


def test_every_epoch_of_a_training_varies_anew(dataset, tmp_path, monkeypatch):
    seen = []
    make = Clips.__getitem__

    def watch(self, index):
        if self.augmentation not in (None, VARIED, REJECTED):  # those two are for calibration
            seen.append(index)
            assert (self.augmentation.mirror, self.augmentation.rotation) == (0.25, 1)
        return make(self, index)

    monkeypatch.setattr(Clips, "__getitem__", watch)
    changed = RECIPE.replace("chunks: [0, 4]", "chunks: [0, 4], augmentation: {mirror: 0.25}")
    (tmp_path / "recipe.yaml").write_text(changed)
    assert train(dataset, tmp_path / "run", "--stage", "3") == 0
    assert {index.epoch for index in seen} == {0, 1}
    assert len(set(seen)) == len(seen) == 2 * 24


def test_short_clips_are_left_out_with_one_warning_each_split(dataset, tmp_path, capsys):
    for file in ("train/labels/1-0.npy", "train/labels/2-1.npy", "val/labels/1-0.npy"):
        np.save(dataset / file, np.array([1] * 12))
    assert train(dataset, tmp_path / "run", "--stage", "1") == 0
    printed = capsys.readouterr().out
    assert printed.count("too short for their glosses and are left out") == 2
    assert "warning: 2 of 24 training clips are" in printed
    assert "warning: 1 of 6 validation clips are" in printed
    assert "warning: validation has 5 clips, so one clip changes its figures by 20 p" in printed
    assert "1-0 (36 frames for 12 glosses, which need 92), 2-1 (" in printed
    figures = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (figures["training_clips"], figures["validation_clips"]) == (22, 5)


def test_data_that_cannot_be_trained_on_is_refused_before_the_first_step(dataset, tmp_path, capsys):
    for file in (dataset / "train/labels").iterdir():
        np.save(file, np.array([1] * 12))
    assert train(dataset, tmp_path / "run") == 2
    message = capsys.readouterr().err
    assert "train: holds only training clips that are too short for their glosses" in message
    assert message.count("\n") == 1
    shutil.rmtree(dataset / "train")
    assert train(dataset, tmp_path / "run") == 2
    assert "train" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("surprise: 1", "surprise"),
        ("batch_size: 0", "batch_size"),
        ("augmentation: {rotation: -1}", "rotation"),
        (
            "  - {name: x, epochs: 1, learning_rate: 1, augmentation: {mirror: 2}}",
            "augmentation: mirror",
        ),
        ("stages: []", "stages"),
        ("{", "YAML"),
    ],
)
def test_faulty_recipe_names_the_key(dataset, tmp_path, capsys, change, says):
    recipe = dataset.parent / "recipe.yaml"
    recipe.write_text(change if change in ("{", "stages: []") else RECIPE + change)
    assert train(dataset, tmp_path / "run") == 2
    assert says in capsys.readouterr().err


def test_recipes_of_the_project_are_valid_and_complete():
    from whispersign_model.configuration import config_file, load_yaml
    from whispersign_model.training.config import TrainingConfig

    config = load_yaml(TrainingConfig, config_file("train.yaml"))
    assert [stage.name for stage in config.stages] == ["frontend", "joint", "realtime"]
    seed = load_yaml(TrainingConfig, config_file("train/seed.yaml"))
    assert [(stage.epochs, stage.learning_rate, stage.alpha) for stage in seed.stages] == [
        (30, 1e-3, 1.0),
        (100, 5e-5, 0.3),
        (30, 1e-5, 0.3),
    ]
    everything = ("frontend", "encoder", "ctc", "decoder")
    assert [stage.train for stage in seed.stages] == [("frontend",), everything, everything]
    assert not any(stage.auxiliary for stage in seed.stages)
    varied = {name for name, value in seed.augmentation.model_dump().items() if value}
    strengths = {"camera_rate", "sentence_signs", "repeat", "idle_seconds", "window_seconds"}
    strengths.add("hold_seconds")
    assert varied - strengths == {"noise", "jitter", "joint_mask", "frame_mask", "mask_length"}
    assert seed.stage_augmentation(seed.stages[2]).window == 1.0


def test_hybrid_loss_is_the_weighted_sum():
    ctc, attention = torch.tensor(2.0), torch.tensor(5.0)
    assert hybrid_loss(ctc, attention, 0.3).total.item() == pytest.approx(0.3 * 2 + 0.7 * 5)
    assert hybrid_loss(ctc, torch.tensor(float("nan")), 1.0).total.item() == 2.0


def test_losses_count_what_exists_only():
    log_probs = torch.randn(2, 6, 4).log_softmax(-1)
    targets, lengths = torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1])
    steps = torch.tensor([6, 3])
    loss = ctc_loss(log_probs, steps, targets, lengths)
    alone = [
        ctc_loss(
            log_probs[i : i + 1, : steps[i]],
            steps[i : i + 1],
            targets[i : i + 1],
            lengths[i : i + 1],
        )
        for i in range(2)
    ]
    assert loss.item() == pytest.approx(sum(part.item() for part in alone) / 2, rel=1e-5)
    predicted = torch.randn(2, 3, 4).log_softmax(-1)
    expected = predicted[0, 0, 1] + predicted[0, 1, 2] + predicted[0, 2, 0]
    expected = expected + predicted[1, 0, 3] + predicted[1, 1, 0]
    assert attention_loss(predicted, targets, lengths, 0.0).item() == pytest.approx(
        -expected.item() / 5
    )


def test_rate_rises_linearly_and_falls_as_a_cosine():
    stage = StageConfig(name="x", epochs=1, learning_rate=1.0, warm_up=0.1, final_learning_rate=0.1)
    rates = [warm_up_cosine(step, 100, stage) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[55] == pytest.approx(0.55)
    assert rates[100] == pytest.approx(0.1)


def test_error_counts():
    errors = GlossErrors()
    errors.add(["A", "B", "C"], ["A", "X", "C", "D"])
    errors.add(["A"], ["A"])
    errors.add(["B"], [])
    assert (errors.substitutions, errors.deletions, errors.insertions) == (1, 1, 1)
    assert errors.wer == pytest.approx(3 / 5)
    assert errors.accuracy == pytest.approx(1 / 3)
    figures = errors.report()
    assert figures["confusions"] == [{"signed": "B", "recognized": "X", "count": 1}]
    assert figures["per_gloss"]["C"]["precision"] == figures["per_gloss"]["C"]["recall"] == 1.0
    assert np.isnan(GlossErrors().wer)


def test_unknown_stage_is_refused(dataset, tmp_path):
    assert train(dataset, tmp_path / "run", "--stage", "7") == 2


def test_trained_network_is_a_start_for_other_glosses(dataset, tmp_path, capsys):
    short = RECIPE.replace("epochs: 40", "epochs: 4")
    (tmp_path / "recipe.yaml").write_text(short)
    assert train(dataset, tmp_path / "first") == 0
    for split in ("train", "val", "test"):
        for label in (dataset / split / "labels").glob("3-*.npy"):
            np.save(label, np.array([4]))
    assert train(dataset, tmp_path / "second", "--init", tmp_path / "first") == 0
    first, second = (read_metadata(tmp_path / name) for name in ("first", "second"))
    assert second.recipe == first.recipe
    assert len(second.glosses) == 4
    capsys.readouterr()
    words = ("--init", tmp_path / "first", "--model", "base")
    assert train(dataset, tmp_path / "third", *words) == 2
    assert "omit --model" in capsys.readouterr().err
