"""Stretches of recordings: without discarded takes, and cut into segments."""

from __future__ import annotations

import pytest

from whispersign_model.datasets.selection import cut_segments, whole_stretches
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
    assert whole_stretches(sentence) == [sentence]


def test_stretches_between_discarded_takes(sentence, make_recording):
    stretches = whole_stretches(discard(sentence, make_recording, 250, 450))
    assert [stretch.name for stretch in stretches] == ["take-1", "take-2"]
    assert [stretch.glosses for stretch in stretches] == [("A",), ("C",)]
    assert [len(stretch) for stretch in stretches] == [250, 549]
    assert not any(stretch.discarded for stretch in stretches)


def test_everything_discarded(sentence, make_recording):
    assert whole_stretches(discard(sentence, make_recording, 0, 999)) == []


def test_one_stretch_keeps_the_name(sentence, make_recording):
    (stretch,) = whole_stretches(discard(sentence, make_recording, 450, 999))
    assert (stretch.name, stretch.glosses) == ("take", ("A", "B"))


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
