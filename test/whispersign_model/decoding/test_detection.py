"""StreamingDetector: signs of any length in other movement, each of them once."""

from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.decoding.detection import (
    SegmentScorer,
    StreamingDetector,
    candidate_segments,
    common,
    detect,
)
from whispersign_model.decoding.search import DecodingOptions, decode

PATCH = 4
GLOSSES = 3


def segment_scorer(*signs, lengths=(5, 10), height=0.9, least=0.0):
    """A network that is the surer of a sign ``(first step, end, id)`` the better a segment fits."""

    def read(places):
        assert places.dtype == np.int64
        probabilities = np.zeros((len(places), GLOSSES + 1))
        for row, place in zip(probabilities, (places // PATCH).tolist()):
            for first, end, gloss_id in signs:
                overlap = max(0, min(end, place[1]) - max(first, place[0]))
                union = max(end, place[1]) - min(first, place[0])
                row[gloss_id] += height * overlap / union
            row[0] = 1 - row.sum()
        with np.errstate(divide="ignore"):
            return np.log(probabilities)

    return SegmentScorer(lengths, least, PATCH, read)


def spans(found):
    return [(span.gloss_id, span.start, span.end) for span in found.spans]


def test_signs_are_found_at_their_place_in_order_and_each_once():
    found = detect(60, segment_scorer((40, 50, 2), (10, 15, 1), (16, 26, 3)))
    assert found.ids == (1, 3, 2)
    assert spans(found) == [(1, 10, 15), (3, 16, 26), (2, 40, 50)]
    assert found.whole
    assert found.n_best[0].ids == found.ids
    assert [span.confidence for span in found.spans] == pytest.approx([0.9] * 3)
    assert found.score == pytest.approx(3 * np.log(0.9))


def test_nothing_is_found_where_nothing_is_more_probable():
    found = detect(60, segment_scorer((20, 30, 1), height=0.49))
    assert found.ids == ()
    assert found.spans == ()


@pytest.mark.parametrize(("least", "ids"), [(0.59, (1,)), (0.61, ())])
def test_a_sign_is_probable_enough(least, ids):
    assert detect(60, segment_scorer((20, 30, 1), height=0.6, least=least)).ids == ids


def test_the_same_sign_twice_is_found_twice():
    assert spans(detect(40, segment_scorer((4, 14, 1), (14, 24, 1)))) == [(1, 4, 14), (1, 14, 24)]


def test_other_glosses_are_told_best_first():
    found = detect(20, segment_scorer((4, 14, 1), (6, 14, 2), height=0.5))
    ((span),) = found.spans
    assert span.gloss_id == 1
    assert [other for other, _ in span.alternatives] == [2, 3]
    assert span.alternatives[0][1] == pytest.approx(0.4)


def test_every_place_is_looked_at_and_cut_at_the_end():
    places = list(candidate_segments(21, (5, 10)))
    assert len(set(places)) == len(places)
    assert {end - first for first, end in places} >= {5, 10}
    assert max(end for _, end in places) == 21
    for length in (5, 10):
        whole = [first for first, end in places if end - first == length]
        assert whole[:3] == [0, 2, 4]
    assert all(end - first >= 3 for first, end in places)  # half of the shortest
    assert list(candidate_segments(3, (5, 10))) == [(0, 3)]


def test_of_a_clip_that_goes_on_only_whole_segments_are_looked_at():
    assert candidate_segments(12, (5, 10), ended=False) == [
        (first, first + length)
        for first in (0, 2, 4, 6)
        for length in (5, 10)
        if first <= 12 - length
    ]
    assert candidate_segments(4, (5, 10), ended=False) == []
    sign = segment_scorer((8, 15, 1), height=1.0, least=0.5)
    assert spans(detect(12, sign)) == [(1, 8, 12)]
    assert spans(detect(12, sign, ended=False)) == []
    assert spans(detect(15, sign, ended=False)) == [(1, 8, 13)]
    assert detect(4, sign, ended=False).ids == ()


def test_a_long_clip_is_read_part_by_part():
    sizes = []
    whole = segment_scorer((3000, 3010, 2))

    def read(places):
        sizes.append(len(places))
        return whole.read(places)

    assert spans(detect(6000, replace(whole, read=read))) == [(2, 3000, 3010)]
    assert max(sizes) <= 256
    assert sum(sizes) == len(list(candidate_segments(6000, whole.lengths)))


def test_what_two_segments_have_in_common():
    assert common((0, 10), (8, 12)) == 0.5
    assert common((8, 12), (0, 10)) == 0.5
    assert common((0, 10), (10, 12)) == 0


def test_of_a_growing_clip_no_stretch_is_read_twice():
    """At first 48 frames; then 80, of which the first 8 have been forgotten; then it ends."""
    asked = []

    def of(first_stamp):
        def read(places):
            asked.extend(map(tuple, (places + first_stamp).tolist()))
            said = np.full((len(places), GLOSSES + 1), -9.0)
            said[:, 1] = -1 / (places + first_stamp).sum(axis=1)  # the sum of both stamps is kept
            return said

        return SegmentScorer((5,), 0.5, PATCH, read)

    clip = StreamingDetector()
    clip.look(of(100), 48, range(100, 148), ended=False)
    assert asked == [(first, first + 20) for first in range(100, 129, 8)]
    clip.forget_before(108)
    clip.look(of(108), 72, range(108, 180), ended=False)
    assert len(set(asked)) == len(asked)
    assert max(asked) == (156, 176)
    before = asked.copy()
    found = clip.look(of(108), 72, range(108, 180), ended=False)
    assert asked == before
    assert [span.confidence for span in found.spans] == pytest.approx(
        [np.exp(-1 / (2 * 108 + PATCH * (span.start + span.end))) for span in found.spans]
    )
    for _ in range(2):
        clip.look(of(108), 74, range(108, 180), ended=True)
        assert sorted(asked[len(before) :]) == [(164, 184), (172, 184)], "a step is not whole"
        del asked[len(before) :]
    clip.look(of(100), 80, range(100, 180), ended=False)
    assert asked[len(before) :] == [(100, 120)], "it was forgotten"


@pytest.mark.parametrize(("frames", "finalized"), [(75, 0), (76, 1), (99, 1), (100, 2)])
def test_a_sign_is_settled_when_no_stretch_to_come_reaches_back_to_it(frames, finalized):
    clip = StreamingDetector()
    sign = segment_scorer((4, 9, 1), (10, 15, 2), height=1.0)
    clip.look(sign, frames, range(frames), ended=False)
    assert clip.found.ids == (1, 2)
    assert clip.finalized == finalized


def test_a_network_that_spots_needs_no_first_pass():
    rows = np.log(np.full((60, GLOSSES + 1), 0.25))
    found = decode(rows, "rescore", DecodingOptions(), segment_scorer((10, 15, 1)))
    assert found.ids == (1,)
    assert decode(rows, "greedy", DecodingOptions()).ids != found.ids
