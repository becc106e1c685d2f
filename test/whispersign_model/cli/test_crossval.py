# SPDX-License-Identifier: MIT
"""``whispersign crossval`` and ``train`` refuse wrong paths before their slow imports."""

from __future__ import annotations

import sys

import pytest

from whispersign_model.cli.main import main
from whispersign_model.datasets.dataset import Dataset
from whispersign_ros.node.assets import DEMO_MODEL

EXPORTED = DEMO_MODEL / "model.onnx"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nosuch"], "crossval/nosuch.yaml: is not in the config folder"),
        (["shrec17"], "shrec17_train.npz: does not exist; give the folder of the archive"),
        (["shrec17", "--init", "nosuch"], "nosuch: does not exist"),
        (["shrec17", "--init", str(EXPORTED)], "model.onnx: has been exported already; give the"),
        (["shrec17", "--config", "nosuch.yaml"], "nosuch.yaml: cannot be read"),
        (["shrec17", "--model", "huge"], "--model huge: is not a size"),
    ],
)
def test_crossval_refuses_before_it_imports_pytorch(tmp_path, capsys, monkeypatch, words, says):
    monkeypatch.setitem(sys.modules, "whispersign_model.crossval.protocol", None)
    where = ["--archives", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(["crossval", *words, *where]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--init", "--resume"])
def test_train_refuses_an_exported_network_before_it_opens_the_data(
    dataset, tmp_path, capsys, monkeypatch, option
):
    monkeypatch.setattr(Dataset, "open", None)
    words = ["train", "--data", str(dataset), "--out", str(tmp_path / "run")]
    assert main([*words, option, str(EXPORTED)]) == 2
    assert f"{EXPORTED}: has been exported already; give the checkpoint" in capsys.readouterr().err
