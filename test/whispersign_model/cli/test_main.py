# SPDX-License-Identifier: MIT
"""The dispatcher: what a user sees when something is missing or wrong."""

import subprocess
import sys

import pytest

from whispersign_model.cli.main import main


def test_every_verb_has_help(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    listed = capsys.readouterr().out
    for verb in ("convert", "demo", "evaluate", "import", "recognize", "synthesize", "train"):
        assert verb in listed
        with pytest.raises(SystemExit) as ended:
            main([verb, "--help"])
        assert ended.value.code == 0


def test_missing_extra_is_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "lightning", None)
    for name in [name for name in sys.modules if name.startswith("whispersign_model.training.")]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "recipe.yaml").write_text(
        "stages: [{name: joint, epochs: 1, learning_rate: 0.001}]"
    )
    words = ["train", "--config", str(tmp_path / "recipe.yaml"), "--data", "x", "--out", "y"]
    assert main(words) == 2
    message = capsys.readouterr().err
    assert "'lightning' is missing" in message
    assert message.count("\n") == 1


def test_missing_file_is_one_line(capsys):
    assert main(["recognize", "nowhere", "nothing"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("whispersign: error: nowhere: does not exist")
    assert message.count("\n") == 1


def test_wrong_word_is_refused():
    with pytest.raises(SystemExit) as ended:
        main(["recognise"])
    assert ended.value.code == 2


def test_reader_that_goes_away_is_no_error():
    words = [sys.executable, "-m", "whispersign_model.cli.main", "bench", "--only", "parameters"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
