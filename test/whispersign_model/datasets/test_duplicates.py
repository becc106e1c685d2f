# SPDX-License-Identifier: MIT
"""Duplicates: a recording in two splits is found by its frames, whatever its name and times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.datasets.duplicates import fingerprint, shared_recordings


def shared(*owners):
    """Return the warnings about ``(split, recording)`` pairs."""
    prints = [fingerprint(recording.name, recording) for _, recording in owners]
    return shared_recordings(prints, [split for split, _ in owners])


@pytest.fixture
def recordings(make_recording):
    return [make_recording(90 + number, name=f"r{number}") for number in range(6)]


def copies(recording):
    """Return copies of a recording, by what differs."""
    first = int(recording.stamps[0])
    return {
        "name": replace(recording, name="copy"),
        "times": replace(recording, name="copy", stamps=recording.stamps - first),
        "beginning": replace(recording.between(first, first + 3 * 10**8), name="copy"),
        "end": replace(recording.between(first + 4 * 10**8, first + 10**10), name="copy"),
        "signer": replace(recording, name="copy", signer="bea", segments=()),
        "order": replace(recording, name="copy", positions=recording.positions[::-1]),
    }


@pytest.mark.parametrize("kind", ["name", "times", "beginning", "end", "signer"])
def test_copy_in_another_split(recordings, kind):
    copy = copies(recordings[1])[kind]
    owners = [("train", each) for each in recordings[:3]]
    assert shared(*owners, ("test", recordings[4]), ("test", copy)) == [
        "train and test hold the same recording: 'r1' and 'copy'"
    ]
    assert shared(("test", copy), *owners) == [
        "train and test hold the same recording: 'r1' and 'copy'"
    ]
    assert shared(*owners, ("train", copy), ("test", recordings[4])) == []


def test_all_copies_count_but_few_are_named(recordings):
    owners = [("train", each) for each in recordings]
    owners += [("val", replace(each, name=f"v{each.name}")) for each in recordings]
    assert shared(*owners) == [
        "train and val hold the same recordings: "
        "'r0' and 'vr0', 'r1' and 'vr1', 'r2' and 'vr2' and 3 more"
    ]


def test_part_that_two_recordings_share_by_chance(recordings):
    one, other = recordings[0], recordings[3]
    positions = other.positions.copy()
    positions[:20] = one.positions[:20]
    assert shared(("train", one), ("test", replace(other, positions=positions))) == []


def test_frames_without_hands_are_not_compared(make_recording):
    empty = [make_recording(50, name=f"e{number}") for number in range(2)]
    empty = [
        replace(each, positions=each.positions * 0, confidence=np.zeros_like(each.confidence))
        for each in empty
    ]
    assert shared(("train", empty[0]), ("test", empty[1])) == []
    assert shared_recordings([], []) == []
