# SPDX-License-Identifier: MIT
"""The dispatcher: what a user sees when something is missing or wrong."""

import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from whispersign_model.cli.main import main
from whispersign_model.datasets.dataset import Dataset
from whispersign_model.errors import ISSUES, ConfigError
from whispersign_model.streams import DEBUG


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
    monkeypatch.setattr(Dataset, "open", lambda path: None)
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


@pytest.fixture
def verb(monkeypatch):
    """Return a function that makes ``whispersign demo`` raise an error, and take one file."""

    def make(error):
        def run(arguments):
            raise error

        def add_arguments(parser):
            parser.add_argument("file", type=Path)

        module = SimpleNamespace(__doc__="A verb.", add_arguments=add_arguments, run=run)
        entry = SimpleNamespace(name="demo", load=lambda: module)
        monkeypatch.setattr("whispersign_model.cli.main.entry_points", lambda group: [entry])

    return make


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (IndexError("list index out of range"), "unexpected error (IndexError: list index"),
        (RuntimeError("two\nlines\x1b[31m"), "unexpected error (RuntimeError: two lines\\x1b[31m)"),
        (KeyError("x" * 100_000), "unexpected error (KeyError: 'xxx"),
        (RecursionError("deep"), "unexpected error (RecursionError: deep)"),
        (MemoryError(), "needs more memory than there is"),
    ],
)
def test_an_unforeseen_error_is_one_line_that_names_the_file(verb, tmp_path, capsys, error, says):
    verb(error)
    path = tmp_path / "a.npz"
    path.touch()
    assert main(["demo", str(path)]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"whispersign: error: {path}: {says}")
    assert message.endswith(f"; repeat with --debug and report it at {ISSUES}\n")
    assert message.count("\n") == 1
    assert len(message) < 1500
    assert "\x1b" not in message


def test_a_file_name_that_the_system_refuses_is_one_line(capsys):
    assert main(["recognize", "demo", "x" * 5000]) == 2
    message = capsys.readouterr().err
    assert "File name too long" in message
    assert len(message) < 1000
    assert message.count("\n") == 1


@pytest.mark.parametrize("words", [["--debug", "demo", "a"], ["demo", "a", "--debug"]])
@pytest.mark.parametrize("error", [IndexError("odd"), ConfigError("a", "is wrong")])
def test_debug_shows_the_traceback(verb, capsys, words, error):
    verb(error)
    assert main(words) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback (most recent call last):")
    assert shown.splitlines()[-1].startswith("whispersign: error: ")


def test_debug_is_passed_on_to_child_processes(verb, monkeypatch):
    monkeypatch.delenv(DEBUG, raising=False)
    script = f"import os; print(os.environ.get({DEBUG!r}))"

    class Error(Exception):
        def __str__(self):
            return subprocess.check_output([sys.executable, "-c", script], text=True).strip()

    verb(Error())
    for words, shown in ((["demo", "a"], "None"), (["demo", "a", "--debug"], "1")):
        told = io.StringIO()
        monkeypatch.setattr(sys, "stderr", told)
        assert main(words) == 2
        assert f"(Error: {shown})" in told.getvalue()
    assert DEBUG not in os.environ
