# SPDX-License-Identifier: MIT
"""Recordings refuse contradictions; selection by time; sensor positions made clean."""

from __future__ import annotations

import numpy as np
import pytest

from whispersign_model.errors import RecordingError
from whispersign_model.recordings.recording import Recording, Segment, tracked_frames
from whispersign_model.skeleton import JOINTS


def test_arrays_that_contradict_each_other_are_refused(make_recording):
    whole = make_recording(5)
    with pytest.raises(RecordingError, match="take: confidence are"):
        Recording(whole.stamps, whole.positions, whole.confidence[:4], name="take")
    with pytest.raises(RecordingError, match="NaN"):
        Recording(whole.stamps, whole.positions * np.nan, whole.confidence)


@pytest.mark.parametrize("stamps", [np.arange(5) / 30, np.zeros((5, 1), np.int64)])
def test_stamps_are_nanoseconds(make_recording, stamps):
    whole = make_recording(5)
    with pytest.raises(RecordingError, match="not int64 nanoseconds"):
        Recording(stamps, whole.positions, whole.confidence)


def test_between_keeps_frames_and_segments_wholly_inside(make_recording):
    whole = make_recording(10)
    stamps = whole.stamps.tolist()
    inside, across = Segment(("A",), stamps[2], stamps[4]), Segment(("B",), stamps[4], stamps[7])
    part = make_recording(10, segments=(inside, across)).between(stamps[2], stamps[5])
    assert part.stamps.tolist() == stamps[2:6]
    assert part.segments == (inside,)
    np.testing.assert_array_equal(part.positions, whole.positions[2:6])


@pytest.mark.parametrize(
    "changes",
    [
        {"segments": (Segment(("A", "\x1b[2J"), 0, 1),)},
        {"signer": "anna\x07"},
        {"source": "\u202eleap"},
        {"split": "train\n"},
        {"signer": "x" * 201},
        {"signer": "\ud800"},
    ],
)
def test_names_that_control_a_terminal_are_refused(make_recording, changes):
    with pytest.raises(RecordingError, match="contains a control character") as caught:
        make_recording(3, **changes)
    assert str(caught.value).isprintable()


def test_out_of_order_counts_repeats_and_steps_back(make_recording):
    whole = make_recording(5)
    stamps = whole.stamps[[0, 1, 1, 0, 2]]
    assert Recording(stamps, whole.positions, whole.confidence).out_of_order == 2
    assert whole.out_of_order == 0


def test_positions_that_are_not_finite_become_untracked():
    positions = np.ones((3, JOINTS, 3))
    positions[0, 3, 1] = np.nan
    positions[1, 4, 0] = np.inf
    positions[1, 5, 2] = -1e5  # finite, but no hand is so far away
    confidence = np.full((3, JOINTS), 0.5)
    confidence[2, 7] = 0
    confidence[2, 8] = np.nan
    clean, kept, untrackable = tracked_frames(positions, confidence)
    assert untrackable == 3  # those that claimed to be tracked
    assert np.isfinite(clean).all()
    for frame, joint in ((0, 3), (1, 4), (1, 5), (2, 7), (2, 8)):
        assert kept[frame, joint] == 0
        assert (clean[frame, joint] == 0).all()
    assert (kept > 0).sum() == 3 * JOINTS - 5


def test_a_shifted_recording_takes_its_segments_along(make_recording):
    recording = make_recording(segments=(Segment(("GO",), 5, 9),))
    first = int(recording.stamps[0])
    later = recording.shifted(100)
    assert (later.stamps - recording.stamps == 100).all()
    assert later.segments == (Segment(("GO",), 105, 109),)
    again = later.starting_at(first)
    assert (again.stamps == recording.stamps).all()
    assert again.segments == recording.segments
