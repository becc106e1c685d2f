# SPDX-License-Identifier: MIT
"""``whispersign recognize``: what was signed, while it is signed and at the end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import whispersign_model
from whispersign_model.cli import recognize
from whispersign_model.cli.main import main
from whispersign_model.datasets import archive
from whispersign_model.recordings.bags.bag import read_bag
from whispersign_model.recordings.bags.files import find_bags

ASSETS = Path(whispersign_model.__file__).parent / "assets"
MODEL, BAG = ASSETS / "demo_model", ASSETS / "demo_bag"


def test_partials_and_finals_are_told_with_their_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    out = tmp_path / "found.json"
    assert main(["recognize", str(MODEL), str(BAG), "--partials", "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    (found,) = json.loads(out.read_text())
    glosses = found["glosses"]
    assert found["units"] == {"first_frame": "ns", "start": "ns", "end": "ns"}
    row = next(line for line in printed.splitlines() if line.count("\u2502") == 8)
    start = (glosses[0]["start"] - found["first_frame"]) / 1e9
    assert float(row.split("\u2502")[2]) == pytest.approx(start, abs=0.006)
    assert glosses
    assert all(gloss["stable"] and gloss["start"] < gloss["end"] for gloss in glosses)
    partials = [line for line in printed.splitlines() if " s  partial" in line]
    finals = [line for line in printed.splitlines() if " s  final" in line]
    assert partials
    assert all("|" in line for line in partials)
    told = [name for line in finals for name in line.split(": ")[1].split()]
    assert told == [gloss["gloss"] for gloss in glosses]
    assert "known at s" in printed
    assert "signed: " in printed


def test_what_is_not_sure_enough_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found.json"
    sure = ["recognize", str(MODEL), str(BAG), "--json", str(out), "--min-confidence"]
    assert main([*sure, "1"]) == 0
    assert json.loads(out.read_text())[0]["glosses"] == []
    assert main([*sure, "1.5"]) == 2
    assert "--min-confidence" in capsys.readouterr().err


@pytest.mark.parametrize(("rate", "told"), [(5, 1), (8.1, 0)])
@pytest.mark.parametrize("kind", ["video", "archive"])
def test_a_slow_video_or_archive_is_told_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    rate: float,
    told: int,
) -> None:
    (signed,) = (read_bag(path) for path in find_bags([BAG])[:1])
    stamps = np.round(np.arange(len(signed)) * 1e9 / rate).astype(np.int64)
    slow = replace(signed, stamps=stamps, segments=(), name="clip")
    path = tmp_path / ("a.mp4" if kind == "video" else "a.npz")
    path.touch()
    monkeypatch.setattr(recognize, "is_video", lambda path: kind == "video")
    monkeypatch.setattr(recognize, "read_hands", lambda *_: slow)
    monkeypatch.setattr(archive, "read_archive", lambda path: [slow, replace(slow, name="two")])
    assert main(["recognize", str(MODEL), str(path)]) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if "frames per s" in line]
    names = "clip (5.0)" if kind == "video" else "clip (5.0), two (5.0)"
    start = f"warning: {path}: too few frames per second to recognize signs: {names}; at least 8"
    assert [line.startswith(start) for line in warnings] == [True] * told
