# SPDX-License-Identifier: MIT
"""Networks of the package are found by name, and every one of them is whole."""

from pathlib import Path

import pytest

from whispersign_model.bundled import bundled, find_checkpoint, names
from whispersign_model.cli.main import main
from whispersign_model.configuration import load_yaml
from whispersign_model.errors import CheckpointError
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.runtime.loading import exported_beside
from whispersign_model.training.config import TrainingConfig
from whispersign_model.training.run_logger import RECIPE


@pytest.mark.parametrize("name", names())
def test_a_bundled_network_is_exported_and_named_like_its_folder(name):
    folder = bundled(name)
    metadata = read_metadata(folder)
    assert metadata.name == name
    assert exported_beside(folder) is not None
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.startswith(f"# {metadata.model_id}: ")  # of this network, no other
    for part in ("Data", "Training", "Figures", "Limits"):
        assert f"**{part}" in card
    if (folder / RECIPE).exists():
        load_yaml(TrainingConfig, folder / RECIPE)


def test_a_name_is_a_bundled_network_unless_a_path_of_this_name_exists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "demo" in names()
    assert find_checkpoint("demo") == bundled("demo")
    (tmp_path / "demo").mkdir()
    assert find_checkpoint("demo") == Path("demo")
    assert find_checkpoint("other.onnx") == Path("other.onnx")


def test_a_name_that_is_none_is_refused_with_those_that_are(tmp_path, capsys):
    assert main(["recognize", "no_such_network", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "no_such_network" in message
    assert "demo" in message


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "~no_such_user_at_all/model"])
def test_a_name_that_is_no_path_is_refused(name):
    with pytest.raises(CheckpointError, match=r"is not a usable path|does not exist") as caught:
        read_metadata(find_checkpoint(name))
    assert len(str(caught.value)) < 500


def test_a_long_name_is_cut_once_and_keeps_its_end():
    with pytest.raises(CheckpointError) as caught:
        find_checkpoint("a" * 5000 + "z" * 10)
    assert str(caught.value).startswith(f"{'a' * 200} ... {'a' * 190}{'z' * 10}: is not a usable")
    assert caught.value.subject == "a" * 5000 + "z" * 10
