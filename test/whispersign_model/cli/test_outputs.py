# SPDX-License-Identifier: MIT
"""A file that cannot be written is told of before the work, in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from whispersign_model.cli.main import main


@pytest.mark.parametrize(
    "words",
    [
        ["bench", "--only", "parameters", "--json"],
        ["recognize", "demo", "nowhere", "--json"],
        ["evaluate", "demo", "--data", "nowhere", "--json"],
    ],
)
def test_figures_need_a_folder_that_can_be(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main([*words, str(tmp_path / "file/out.json")]) == 2
    assert main([*words, str(tmp_path)]) == 2
    os.mkfifo(tmp_path / "fifo")
    assert main([*words, str(tmp_path / "fifo")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 3
    assert "fifo: is not a regular file; give a file" in told.err
    assert "file: cannot be written" in told.err
    assert f"{tmp_path}: is a folder; give a file" in told.err


@pytest.mark.parametrize(
    ("option", "value"), [("--data", "nowhere"), ("--model", "demo"), ("--threads", "1")]
)
def test_an_option_of_another_part_is_refused(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--only", "parameters", option, value]) == 2
    assert f"{option}: has no effect with --only parameters" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["file/model.onnx", "folder/model.onnx", "taken/model.onnx"])
def test_an_export_checks_its_output_before_the_work(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from whispersign_model.network.model import WhisperSignModel

    monkeypatch.setattr(WhisperSignModel, "load_checkpoint", lambda path: pytest.fail("loaded"))
    (tmp_path / "file").touch()
    (tmp_path / "folder/model.onnx").mkdir(parents=True)
    (tmp_path / "taken/model.rescore.onnx").mkdir(parents=True)
    assert main(["export", "demo", "--out", str(tmp_path / name)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert name.partition("/")[0] in line


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux' /proc")
def test_a_file_system_that_takes_no_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--only", "parameters", "--json", "/proc/out.json"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("whispersign: error: /proc: cannot be written")


@pytest.mark.parametrize(
    "words",
    [
        ["export", "demo", "--int8", "--out", "{}/model.onnx", "--data", "{}/nowhere"],
        ["export", "{}/nowhere", "--out", "{}/model.onnx"],
        ["train", "--data", "{}/nowhere", "--out", "{}/run"],
        ["train", "--data", "{}", "--out", "{}/run", "--init", "{}/nowhere"],
        ["train", "--data", "{}", "--out", "{}/run", "--resume", "{}/nowhere"],
        ["train", "--data", "{}", "--out", "{}/run", "--resume", "{}/run/nowhere.ckpt"],
        ["train", "--data", "{}", "--out", "{}/run", "--model", "{}/nowhere.yaml"],
        ["train", "--data", "{}", "--out", "{}/run", "--config", "{}/nowhere.yaml"],
        ["train", "--data", "{}", "--out", "{}/file/run"],
    ],
)
def test_a_mistyped_path_is_refused_without_pytorch(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    program = (
        "import sys\nfrom whispersign_model.cli.main import main\n"
        "code = main(sys.argv[1:])\nprint(sorted({'torch', 'onnx'} & sys.modules.keys()))\n"
        "sys.exit(code)"
    )
    given = [word.format(tmp_path) for word in words]
    done = subprocess.run([sys.executable, "-c", program, *given], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stdout == "[]\n"
    (line,) = done.stderr.splitlines()
    assert ("file" if "file" in words[-1] else "nowhere") in line
