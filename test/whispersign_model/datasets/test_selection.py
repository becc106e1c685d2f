# SPDX-License-Identifier: MIT
"""Segments of recordings: without discarded takes, and cut into segments."""

from __future__ import annotations

import pytest

from whispersign_model.datasets.selection import cut_segments, labelled_parts
from whispersign_model.recordings.recording import Segment


@pytest.fixture
def sentence(make_recording):
    """Three segments of 100 frames in 1000, between frames 100, 300 and 500."""
    stamps = make_recording(1000).stamps.tolist()
    segments = tuple(
        Segment((gloss,), stamps[first], stamps[first + 100])
        for gloss, first in (("A", 100), ("B", 300), ("C", 500))
    )
    return make_recording(1000, segments=segments)


def discard(sentence, make_recording, first, last):
    span = int(sentence.stamps[first]), int(sentence.stamps[last])
    return make_recording(1000, segments=sentence.segments, discarded=(span,))


def test_recording_without_discarded_takes_stays(sentence):
    assert labelled_parts(sentence) == [sentence]


def test_segments_between_discarded_takes(sentence, make_recording):
    segments = labelled_parts(discard(sentence, make_recording, 250, 450))
    assert [segment.name for segment in segments] == ["take-1", "take-2"]
    assert [segment.glosses for segment in segments] == [("A",), ("C",)]
    assert [len(segment) for segment in segments] == [250, 549]
    assert not any(segment.discarded for segment in segments)


def test_everything_discarded(sentence, make_recording):
    assert labelled_parts(discard(sentence, make_recording, 0, 999)) == []


def test_one_stretch_keeps_the_name(sentence, make_recording):
    (segment,) = labelled_parts(discard(sentence, make_recording, 450, 999))
    assert (segment.name, segment.glosses) == ("take", ("A", "B"))


def test_cut_with_a_margin(sentence):
    cuts = cut_segments(sentence, 10 * 9_000_001e-9)
    assert [cut.name for cut in cuts] == ["take-1", "take-2", "take-3"]
    assert [cut.segments for cut in cuts] == [(segment,) for segment in sentence.segments]
    assert [len(cut) for cut in cuts] == [121] * 3
    assert cuts[0].stamps[0] == sentence.stamps[90]


def test_margin_ends_at_the_neighbour(sentence):
    cuts = cut_segments(sentence, 60.0)
    assert [len(cut) for cut in cuts] == [300, 299, 599]
    assert cuts[1].stamps[0] == sentence.stamps[201]  # A ends at 200


def test_margin_ends_at_a_discarded_take(sentence, make_recording):
    cuts = cut_segments(discard(sentence, make_recording, 250, 450), 60.0)
    assert [len(cut) for cut in cuts] == [250, 549]


def test_overlapping_segments_keep_their_own_times(make_recording):
    stamps = make_recording(100).stamps.tolist()
    segments = (Segment(("A",), stamps[10], stamps[50]), Segment(("B",), stamps[40], stamps[80]))
    cuts = cut_segments(make_recording(100, segments=segments), 0.0)
    assert [len(cut) for cut in cuts] == [41, 41]
