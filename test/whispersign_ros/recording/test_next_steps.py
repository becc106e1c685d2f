# SPDX-License-Identifier: MIT
"""What a session ends with: what is missing, and commands that can be run."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

import pytest

from whispersign_model.cli.train import add_arguments
from whispersign_model.configuration import load_yaml
from whispersign_model.recordings.takes import Take
from whispersign_model.training.config import TrainingConfig
from whispersign_ros.recording.next_steps import next_steps, training_commands
from whispersign_ros.recording.prompt_plan import PromptPlan


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_commands_name_files_that_are_there_and_folders_that_are_not():
    Path("dataset").mkdir()
    convert, train = map(shlex.split, training_commands(Path("my recordings")))
    assert convert == ["whispersign", "convert", "my recordings", "--out", "dataset2"]
    assert train[2:] == ["--data", "dataset2", *["--out", "run", "--init", "demo", "--stage", "2"]]


def test_the_recipe_is_found_from_any_folder_and_has_that_stage(monkeypatch):
    chosen = argparse.ArgumentParser()
    add_arguments(chosen)
    (_, train) = map(shlex.split, training_commands(Path("recordings")))
    recipe = load_yaml(TrainingConfig, chosen.parse_args(train[2:]).config)
    assert recipe.stages[1].name == "joint"  # stage 2


def test_what_is_missing_is_said():
    plan = PromptPlan(["A", "B"], 2, "anna", [Take("A", 0, "anna")], None)
    assert next_steps(Path("out"), plan)[0].startswith("3 takes are missing; run the same command")
    nothing = PromptPlan(["A"], 2, "anna", [], None)
    assert next_steps(Path("out"), nothing) == ["nothing was recorded"]
