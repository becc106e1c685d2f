# SPDX-License-Identifier: MIT
"""The Python programs that the pages print run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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
