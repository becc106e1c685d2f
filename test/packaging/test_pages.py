# SPDX-License-Identifier: MIT
"""The Python programs that the pages print run as they stand."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from whispersign_model.cli.main import main
from whispersign_model.recordings.bags.bag import read_bag, write_bag
from whispersign_model.synthesis.signer import Signer

ROOT = Path(__file__).parents[2]


def program(page: str, needle: str) -> str:
    """Return the one Python block of a page that contains ``needle``."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)
    (found,) = (block for block in blocks if needle in block)
    return found


def test_the_readme_prints_what_it_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    block = program("README.md", "recognize_recording")
    exec(compile(block, "README.md", "exec"), {})
    assert f"# {capsys.readouterr().out}" == block.splitlines(keepends=True)[-1]


def test_the_guide_to_synthetic_recordings_makes_them(capsys: pytest.CaptureFixture[str]) -> None:
    page = "docs/how-to/synthesize.md"
    names: dict[str, Any] = {}
    exec(compile(program(page, "synthesize_corpus"), page, "exec"), names)
    assert capsys.readouterr().out.count("signer00") == 4
    assert names["joints"].shape == (2, 2, 21, 3)


def test_the_guide_to_data_writes_and_reads_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_bag("hello_anna_1", replace(Signer(3).sign_sentence(["HELLO"]), segments=(), signer=""))
    page = "docs/how-to/data.md"
    exec(compile(program(page, "write_bag"), page, "exec"), {})
    written = read_bag("labelled/hello_anna_1")
    assert (written.signer, written.glosses) == ("anna", ("HELLO",))
    assert main(["convert", "labelled", "--out", "dataset", "--val-every", "2"]) == 0
    capsys.readouterr()
    exec(compile(program(page, "Dataset.open"), page, "exec"), {})
    name, *_, gloss = capsys.readouterr().out.split()
    assert (name, gloss) == ("hello_anna_1", "['HELLO']")
