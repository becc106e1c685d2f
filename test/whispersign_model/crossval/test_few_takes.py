# SPDX-License-Identifier: MIT
"""Learning curves by takes: who learns what from which recordings, and the table of it."""

import json

import pytest

from whispersign_model.cli.main import main
from whispersign_model.crossval import few_takes
from whispersign_model.crossval.protocol import RESULT

GLOSSES = ("A", "B", "C", "D", "E", "F")
NEW = {"C", "F"}


@pytest.fixture
def command(tmp_path, write_archive):
    """What runs a protocol on 60 recordings of six signs, every fifth of which tests."""
    signs = [gloss for gloss in GLOSSES for _ in range(10)]
    write_archive(tmp_path / "signs.npz", signs, [""] * len(signs))
    own, recipe = tmp_path / "own.yaml", tmp_path / "recipe.yaml"
    own.write_text("{title: Mine, archive: signs.npz, folds: {every: 5}, val_every: 4}")
    one = "epochs: 1, learning_rate: 0.001"
    stages = f"[{{name: frontend, {one}}}, {{name: joint, {one}}}]"
    recipe.write_text(f"{{workers: 0, stages: {stages}}}")
    words = ["crossval", str(own), "--archives", str(tmp_path), "--out", str(tmp_path / "out")]
    return [*words, "--config", str(recipe), "--quiet"]


@pytest.fixture
def asked(monkeypatch):
    """Put a figure in the place of training; what it was asked for is returned."""
    asked = {}

    def run_fold(plan, data, folder):
        asked[str(folder.relative_to(plan.out))] = (plan, data)
        folder.mkdir(parents=True)
        result = {"accuracy": 0.25 + 0.5 * (plan.init is not None), "sequences": 4}
        (folder / RESULT).write_text(json.dumps(result))
        return result

    monkeypatch.setattr(few_takes, "run_fold", run_fold)
    return asked


def _of(data, split):
    return {example.name for example in data.split(split)}


def test_the_new_signs_are_learned_from_so_many_takes_and_the_others_before(command, asked):
    assert main([*command, "--takes", "1,3"]) == 0
    plan, data = asked["base"]
    assert plan.init is None
    assert set(data.glosses) == set(GLOSSES) - NEW
    for count in (1, 3):
        for way, stages in (("fine-tuned", ["joint"]), ("from_nothing", ["frontend", "joint"])):
            plan, data = asked[f"takes{count}/{way}/seed0"]
            assert [stage.name for stage in plan.recipe.stages] == stages
            assert plan.init == (plan.out / "base" if way == "fine-tuned" else None)
            assert set(data.glosses) == NEW
            train, val, test = (_of(data, split) for split in ("train", "val", "test"))
            assert len(train) == len(NEW) * count
            assert {f"{name}_again" for name in train} == val
            assert len(test) == 4  # every fifth of 20
            assert not train & test
    few, more = (_of(asked[f"takes{count}/fine-tuned/seed0"][1], "train") for count in (1, 3))
    assert few < more


def test_the_table_has_every_seed_and_nothing_is_done_twice(command, asked, tmp_path, capsys):
    for seed in ("0", "1"):
        assert main([*command, "--takes", "2", "--seed", seed]) == 0
    assert len(asked) == 5  # two ways and two seeds, and one network of the other signs
    first, second = (_of(asked[f"takes2/fine-tuned/seed{seed}"][1], "train") for seed in (0, 1))
    assert first != second
    figures = tmp_path / "figures.json"
    assert main([*command, "--takes", "2", "--json", str(figures)]) == 0
    assert len(asked) == 5
    assert "| 2 | 75.0 % (75.0, 75.0) | 25.0 % (25.0, 25.0) |" in capsys.readouterr().out
    assert json.loads(figures.read_text()) == [
        {"takes": 2, "fine-tuned": [0.75, 0.75], "from nothing": [0.25, 0.25]}
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--takes", "0"], "--takes: 0 is below 1"),
        (["--takes", "9"], "--takes: of C there are only 8"),
        (["--takes", "1", "--folds", "6"], "--folds: 6 is not one of 1 to 5"),
    ],
)
def test_what_cannot_be_run_is_said_in_a_line(words, message, command, asked, capsys):
    assert main([*command, *words]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
