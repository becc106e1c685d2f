# SPDX-License-Identifier: MIT
"""Clips that are too short for their glosses: named by convert and import, left out by train."""

from __future__ import annotations

import json

import numpy as np
import pytest

from whispersign_model.cli.main import main
from whispersign_model.datasets.dataset import Dataset
from whispersign_model.datasets.short_clips import (
    describe_short,
    find_short,
    split_short,
    tracked_span,
)


def test_utterance_extends_from_first_to_last_tracked_frame():
    frames = np.zeros((10, 42, 7), np.float32)
    assert tracked_span(frames) == slice(0, 10)
    frames[3, 5, 6] = frames[7, 30, 6] = 1
    assert tracked_span(frames) == slice(3, 8)


@pytest.mark.parametrize(
    ("glosses", "needed"), [("", 0), ("A", 4), ("AB", 8), ("AA", 12), ("ABBA", 20)]
)
def test_ctc_needs_a_step_for_each_gloss_and_between_equal_ones(glosses, needed):
    assert find_short("a", needed, list(glosses)) is None
    if needed:
        short = find_short("a", needed - 1, list(glosses))
        assert short == ("a", needed - 1, len(glosses), needed)


def test_long_lists_are_cut():
    clips = [find_short(f"c{number}", 3, ["A"]) for number in range(12)]
    text = describe_short([clip for clip in clips if clip])
    assert text.startswith("c0 (3 frames for 1 glosses, which need 4), c1 (")
    assert "c9" in text
    assert "c10" not in text
    assert text.endswith(" and 2 more")


def test_short_examples_are_told_from_others(dataset):
    np.save(dataset / "train/labels/1-0.npy", np.array([1, 2] * 6))
    examples = Dataset.open(dataset).split("train")
    kept, short = split_short(examples, 4)
    assert [each.name for each in examples if each not in kept] == ["1-0"]
    assert short == [("1-0", 36, 12, 48)]
    assert split_short(examples, 3)[1] == []


@pytest.mark.parametrize("target", ["convert", "import"])
def test_all_short_clips_are_in_the_report(archive, tmp_path, capsys, target):
    """The first recording (0.63 s) has one gloss, the second (0.97 s) two, the third none."""
    labels = np.array([1, *[0, 2] * 8], np.int16)
    path = archive(lab=np.repeat(labels, [17, *[1] * 16]), lptr=np.array([0, 17, 33, 33]),
                   seg=np.zeros((0, 4), np.int32))  # fmt: skip
    out = tmp_path / "data"
    if target == "import":
        words = ["import", str(path), "--dataset", str(out)]
    else:
        assert main(["import", str(path), "--out", str(tmp_path / "bags")]) == 0
        words = ["convert", str(tmp_path / "bags"), "--out", str(out)]
    capsys.readouterr()
    assert main(words) == 0
    printed = capsys.readouterr().out
    (line,) = [line for line in printed.splitlines() if "too short for their glosses" in line]
    assert line.strip().startswith("warning: 2 examples are too short")
    assert "a_1 (" in line
    assert "b_2 (" in line
    report = json.loads((out / "report.json").read_text())
    assert sorted(each["name"].split("/")[1] for each in report["too_short"]) == ["0_a_1", "1_b_2"]
    assert all(each["frames"] < each["needed"] for each in report["too_short"])
