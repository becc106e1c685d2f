# SPDX-License-Identifier: MIT
"""Bags in ``recognize`` and ``view``: the warnings that ``convert`` gives, too."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.cli.main import main
from whispersign_model.recordings.bags.bag import write_bag
from whispersign_model.synthesis.signer import Signer
from whispersign_ros.node.assets import DEMO_MODEL

SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def signed():
    return Signer(0).sign_sentence(["HELLO"], start=SECOND)


def words(verb, path, folder):
    if verb == "recognize":
        return [verb, str(DEMO_MODEL), str(path), "--device", "cpu"]
    return [verb, str(path), "--out", str(folder / "out.png")]


def milliseconds(recording):
    """Return a recording whose stamps count milliseconds in their seconds."""
    stamps = SECOND + (recording.stamps - recording.stamps[0]) * 1000
    return replace(recording, stamps=stamps, segments=())


def millimeters(recording):
    return replace(recording, positions=recording.positions * 1000)


def pixels(recording):
    flat = recording.positions * np.float32([2000, 2000, 0]) + np.float32([900, 900, 0])
    return replace(recording, positions=np.where(recording.confidence[..., None] > 0, flat, 0))


def at_rate(recording, rate):
    """Return a recording with every so many frames a second."""
    steps = np.round(np.arange(len(recording)) * SECOND / rate).astype(np.int64)
    return replace(recording, stamps=recording.stamps[0] + steps, segments=())


@pytest.mark.parametrize("verb", ["recognize", "view"])
@pytest.mark.parametrize(("rate", "told"), [(3, 1), (7.9, 1), (8.1, 0), (60, 0)])
def test_a_slow_bag_is_told_in_one_line(tmp_path, capsys, signed, verb, rate, told):
    write_bag(tmp_path / "a", at_rate(signed, rate))
    assert main(words(verb, tmp_path / "a", tmp_path)) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    start = (
        f"warning: {tmp_path / 'a'}: too few frames per second to recognize signs: a ({rate:.1f})"
    )
    assert [line.startswith(start) for line in warnings] == [True] * told


@pytest.mark.parametrize("verb", ["recognize", "view"])
@pytest.mark.parametrize(
    ("change", "unit"),
    [
        (milliseconds, "its time rises by .* it seems to be in milliseconds"),
        (millimeters, "a hand has a distance of .*it seems to be in millimeters"),
        (pixels, "pixels"),
    ],
)
def test_another_unit_is_told(tmp_path, capsys, signed, verb, change, unit):
    write_bag(tmp_path / "a", change(signed))
    assert main(words(verb, tmp_path / "a", tmp_path)) == 0
    (warning,) = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert warning.startswith(f"warning: {tmp_path / 'a'}: ")
    assert re.search(unit, warning)


@pytest.mark.parametrize("verb", ["recognize", "view"])
def test_nothing_is_told_of_meters_and_seconds(tmp_path, capsys, signed, verb):
    write_bag(tmp_path / "a", signed)
    assert main(words(verb, tmp_path / "a", tmp_path)) == 0
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["recognize", "view"])
def test_parts_of_a_renamed_folder_are_told(tmp_path, capsys, signed, verb):
    folder = tmp_path / "renamed"
    folder.mkdir()
    write_bag(tmp_path / "a", signed)
    for number in (0, 1):
        (folder / f"hello_{number}.mcap").write_bytes((tmp_path / "a" / "a.mcap").read_bytes())
    assert main(words(verb, folder, tmp_path)) == 0
    assert capsys.readouterr().err.count("are read as separate recordings; if they are parts") == 1


def test_convert_leaves_out_milliseconds(tmp_path, capsys, signed):
    write_bag(tmp_path / "a", milliseconds(signed))
    labels = tmp_path / "labels.csv"
    labels.write_text("recording,glosses\na,HELLO\n")
    command = ["convert", str(tmp_path / "a"), "--out", str(tmp_path / "data")]
    assert main([*command, "--labels", str(labels)]) == 2
    assert "it seems to be in milliseconds" in capsys.readouterr().err
