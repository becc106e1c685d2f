# SPDX-License-Identifier: MIT
"""What a view shows when: captions, parts, and the frame of each moment."""

from __future__ import annotations

import pytest

from whispersign_model.errors import RecordingError
from whispersign_model.recordings.recording import Segment
from whispersign_model.visualization.viewer import _moments, caption, part

from ..conftest import START


def test_a_part_keeps_labels_that_reach_beyond_it(make_recording):
    recording = make_recording(90)
    shown = part(recording, 0.2, 0.3)
    assert 0.2e9 <= shown.stamps[0] - START < 0.21e9
    assert shown.duration == pytest.approx(0.3, abs=0.02)
    assert shown.segments == recording.segments
    assert len(part(recording, 0.0, None)) == 90
    with pytest.raises(RecordingError, match=r"take: has no frames there"):
        part(recording, 5.0, None)


def test_captions_tell_time_and_what_is_signed(make_recording):
    first, last = START + 100_000_000, START + 200_000_000
    recording = make_recording(90, segments=(Segment(("A", "B"), first, last),))
    assert caption(recording, 0, START) == "0.00 s"
    assert caption(recording, 15, START) == "0.14 s  A B"
    assert caption(recording, 15, START - 10**9) == "1.14 s  A B"
    assert caption(recording, 30, START) == "0.27 s"


def test_each_picture_shows_the_last_frame_of_its_time(make_recording):
    recording = make_recording(10)  # a frame every 9 ms
    assert _moments(recording, 100.0, 1.0) == list(range(10))
    assert _moments(recording, 50.0, 1.0) == [0, 2, 4, 6, 8, 9]
    assert _moments(recording, 50.0, 0.5) == list(range(10))
