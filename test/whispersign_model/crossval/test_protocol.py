# SPDX-License-Identifier: MIT
"""Protocols on published recordings: who tests in which fold, and what is written of it."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from whispersign_model.cli.main import main
from whispersign_model.configuration import load_yaml
from whispersign_model.crossval import protocol as benchmark
from whispersign_model.crossval.settings import Folds, Protocol
from whispersign_model.datasets.archive import read_archive
from whispersign_model.datasets.dataset import Dataset
from whispersign_model.errors import ConfigError
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.training.config import TrainingConfig

CONFIG = Path(__file__).parents[3] / "config" / "crossval"
BUNDLED = Path(benchmark.__file__).parents[1] / "assets" / "demo_model"
SIGNERS = ("ada", "bo", "cy", "di")
COUNT = 24


@pytest.fixture
def archives(tmp_path, write_archive):
    """A folder with an archive of 24 recordings of four signers."""
    folder = tmp_path / "archives"
    folder.mkdir()
    write_archive(folder / "signs.npz", "AB" * (COUNT // 2), [*SIGNERS] * (COUNT // 4))
    return folder


@pytest.fixture
def own(tmp_path):
    """A protocol file for that archive."""
    file = tmp_path / "own.yaml"
    file.write_text("{title: Mine, archive: signs.npz, folds: {signers: 2}, val_every: 5}")
    return file


@pytest.fixture
def quick(monkeypatch):
    """Put figures in the place of training; the folds it was asked for are returned."""
    done = []

    def fold(plan, data, folder):
        signers = Counter(example.signer for example in data.split("test"))
        done.append((plan.seed, dict(signers)))
        share = 0.5 + 0.25 * len(done)
        keys = ("accuracy", "live", "beam", "greedy", "live_agrees", "wer")
        result = {
            **dict.fromkeys(keys, share),
            "test": sorted(signers),
            "sequences": sum(signers.values()),
            "parameters": 1_500_000,
            "training_seconds": 120,
        }
        folder.mkdir()
        (folder / benchmark.RESULT).write_text(json.dumps(result))
        return result

    monkeypatch.setattr(benchmark, "run_fold", fold)
    return done


def test_every_signer_tests_once(archives):
    recordings = read_archive(archives / "signs.npz")
    policies = Folds(signers=2).policies(recordings, val_every=5)
    assert [policy.test for policy in policies] == [("ada", "bo"), ("cy", "di")]


def test_every_turn_tests_once_and_leaves_room_for_validation(archives):
    recordings = read_archive(archives / "signs.npz")
    policies = Folds(every=5).policies(recordings, val_every=20)
    assert [policy.test_offset for policy in policies] == [0, 1, 2, 3, 4]
    assert all((policy.val_offset - policy.test_offset) % 5 for policy in policies)


def test_splits_that_are_given_are_kept(archives, tmp_path):
    recordings = read_archive(archives / "signs.npz")
    words = ["train", "train", "dev", "test"]
    recordings = [replace(each, split=words[n % 4]) for n, each in enumerate(recordings)]
    protocol = Protocol(title="Mine", archive="a.npz", folds=Folds(given=True))
    [policy] = protocol.folds.policies(recordings, protocol.val_every)
    data = benchmark.make_dataset(tmp_path / "data", recordings, policy, protocol)
    counts = {split: len(data.split(split)) for split in ("train", "val", "test")}
    assert counts == {"train": COUNT // 2, "val": COUNT // 4, "test": COUNT // 4}


@pytest.mark.parametrize(("given", "val_every"), [(True, 5), (False, None)])
def test_who_validates_is_said_once(given, val_every):
    with pytest.raises(ValueError, match="give val_every, unless"):
        Protocol(
            title="",
            archive="",
            folds=Folds(every=0 if given else 2, given=given),
            val_every=val_every,
        )


@pytest.mark.parametrize("folds", [{}, {"signers": 1, "every": 5}, {"every": 5, "given": True}])
def test_one_way_to_split_is_given(folds):
    with pytest.raises(ValueError, match="give one of"):
        Folds(**folds)


def test_folds_are_run_once_and_summed_up(archives, own, quick, tmp_path, capsys):
    out, figures = tmp_path / "out", tmp_path / "figures.json"
    command = ["crossval", str(own), "--archives", str(archives), "--out", str(out), "--quiet"]
    assert main([*command, "--folds", "2"]) == 0
    assert quick == [(0, {"cy": 6, "di": 6})]
    assert main([*command, "--json", str(figures)]) == 0
    assert quick[1:] == [(0, {"ada": 6, "bo": 6})]
    assert Dataset.open(out / "fold1" / "data").split("val")
    printed = capsys.readouterr().out
    assert "fold 2, seed 0: done before" in printed
    assert "| 2 | cy, di | 12 | 75.0 % |" in printed
    assert "**87.5** ± 17.7" in printed
    assert json.loads(figures.read_text())["accuracy"]["mean"] == pytest.approx(0.875)


def test_a_folder_is_of_one_protocol(archives, own, quick, tmp_path, capsys):
    command = ["crossval", str(own), "--archives", str(archives), "--out", str(tmp_path / "out")]
    assert main([*command, "--quiet"]) == 0
    assert main([*command, "--quiet", "--seed", "1"]) == 0
    assert main([*command, "--quiet", "--model", "base"]) == 2
    assert "out: holds results of another network; choose another --out" in capsys.readouterr().err
    own.write_text(own.read_text().replace("val_every: 5", "val_every: 6"))
    assert main([*command, "--quiet"]) == 2
    assert "out: holds results of another protocol; choose" in capsys.readouterr().err
    assert len(quick) == 4


def test_a_fold_is_trained_and_tested(archives, own, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("{workers: 0, stages: [{name: joint, epochs: 1, learning_rate: 0.001}]}")
    out = tmp_path / "out"
    command = ["crossval", str(own), "--archives", str(archives), "--out", str(out), "--quiet"]
    assert main([*command, "--folds", "1", "--config", str(recipe)]) == 0
    result = json.loads((out / "fold1" / "seed0" / benchmark.RESULT).read_text())
    assert (result["sequences"], result["test"]) == (12, ["ada", "bo"])
    assert 0 <= result["accuracy"] <= 1
    assert 0 <= result["live_agrees"] <= 1
    assert result["epochs"] == 1
    assert result["parameters"] > 100_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "crossval/nothing.yaml: is not in the config folder"),
        (["{own}", "--folds", "3"], "--folds: 3 is not one of 1 to 2"),
        (["{own}", "--folds", "1,3"], "--folds: 3 is not one of 1 to 2"),
        (["{own}", "--model", "huge"], "--model huge: is not a size"),
        (["{own}", "--model", "base", "--init", "demo"], "--model: the size is that of"),
        (["{own}", "--json", "{own}/x.json"], "own.yaml: cannot be written"),
    ],
)
def test_what_cannot_be_run_is_said_in_a_line(arguments, message, archives, own, tmp_path, capsys):
    words = [word.format(own=own) for word in arguments]
    where = ["--archives", str(archives), "--out", str(tmp_path / "out"), "--quiet"]
    assert main(["crossval", *words, *where]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


def test_streams_are_judged_by_what_is_found_in_them():
    share = dict.fromkeys(("accuracy", "live", "beam", "greedy", "live_agrees"), 0.5)
    rest = {"fold": 1, "test": [], "sequences": 4, "parameters": 1e6, "training_seconds": 60}
    found = {"signed": 9, "rate": 0.9, "false_positives": 0.1, "delay_median": 0.25}
    offline = {"rate": 0.8, "false_positives": 0.2}
    detected = {"detection": found, "detection_offline": offline}
    result = {**share, **rest, "live_wer": 0.3, **detected}
    means = {key: {"mean": 0.5, "deviation": 0.0} for key in share}
    protocol = Protocol(title="Mine", archive="a.npz", folds=Folds(every=2), val_every=3)
    lines = benchmark.table(protocol, {"results": [result], **means})
    (line,) = (line for line in lines if "of 9 signs 0.900 found at the right time" in line)
    assert line.endswith("; offline 0.800 and 0.200")


def test_the_live_recogniser_is_set_as_the_protocol_says(archives, tmp_path, monkeypatch):
    protocol = Protocol(
        title="Mine",
        archive="signs.npz",
        folds=Folds(every=2),
        val_every=3,
        live={"min_confidence": 0.7, "max_length": 5},
    )
    recordings = read_archive(archives / "signs.npz")
    policy = protocol.folds.policies(recordings, protocol.val_every)[0]
    data = benchmark.make_dataset(tmp_path / "data", recordings, policy, protocol)
    recipe = load_yaml(TrainingConfig, CONFIG.parent / "train.yaml")
    plan = benchmark.CrossvalRun(protocol, archives, tmp_path, (1,), 3, recipe, ModelConfig())
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.json").write_text('{"seconds": 1.0}')  # it is trained
    model, metadata = WhisperSignModel.load_checkpoint(BUNDLED)
    monkeypatch.setattr(WhisperSignModel, "load_checkpoint", lambda _: (model, metadata))
    asked = []

    def read_live(*words):
        asked.append(words[-1])
        return read_live_before(*words)

    read_live_before = benchmark.read_live
    monkeypatch.setattr(benchmark, "read_live", read_live)
    result = benchmark.run_fold(plan, data, tmp_path / "run")
    assert [(options.min_confidence, options.max_length) for options in asked] == [(0.7, 5)]
    assert result["seed"] == 3
    assert json.loads((tmp_path / "run" / benchmark.RESULT).read_text())["sequences"] == COUNT // 2


def test_nothing_done_is_no_summary(tmp_path):
    with pytest.raises(ConfigError, match="holds no result"):
        benchmark.summary(tmp_path)


@pytest.mark.parametrize("file", sorted(CONFIG.glob("*.yaml")), ids=lambda file: file.stem)
def test_protocols_fit_the_recordings(file, shared_data):
    protocol = load_yaml(Protocol, file)
    recordings = read_archive(shared_data(protocol.archive), protocol.label)
    policies = protocol.folds.policies(recordings, protocol.val_every)
    assert len(policies) in (1, 5, 7)
    assert protocol.published
