# SPDX-License-Identifier: MIT
"""Outputs that are not UTF-8."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from whispersign_model.bundled import ASSETS, bundled
from whispersign_model.streams import escape_unencodable

MAIN = "import sys; from whispersign_model.cli.main import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.parametrize(
    ("encoding", "errors", "text", "written"),
    [
        ("ascii", "strict", "a\u2022", b"a\\u2022"),
        ("ascii", "surrogateescape", "\u2022", b"\\u2022"),
        ("latin-1", "strict", "\xe4 \u4f60", b"\xe4 \\u4f60"),
        ("cp1252", "strict", "\u2022 \u2501", b"\x95 \\u2501"),
        ("utf-8", "strict", "\u4f60 \udcff", b"\xe4\xbd\xa0 \\udcff"),
    ],
)
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_what_an_encoding_lacks_is_escaped(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    encoding: str,
    errors: str,
    text: str,
    written: bytes,
) -> None:
    content = io.BytesIO()
    stream = io.TextIOWrapper(content, encoding=encoding, errors=errors)
    monkeypatch.setattr(sys, name, stream)
    escape_unencodable()
    stream.write(text)
    stream.flush()
    assert content.getvalue() == written


def test_a_stream_of_another_kind_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", None)
    escape_unencodable()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_name_outside_the_encoding_does_not_cost_the_results(
    tmp_path: Path, encoding: str
) -> None:
    shutil.copytree(ASSETS / "demo_bag", tmp_path / "\u4f60\u597d")
    words = ["recognize", str(bundled()), "\u4f60\u597d", "--json", "out.json"]
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.json").exists()
    assert "HELLO" in done.stdout.decode(encoding)
