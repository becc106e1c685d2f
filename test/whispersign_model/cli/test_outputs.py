# SPDX-License-Identifier: MIT
"""A file that cannot be written is told of before the work, in one line."""

from __future__ import annotations

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
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 2
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
