# SPDX-License-Identifier: MIT
"""Detection: signs of any length in other movement, each of them once."""

from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.decoding.detection import SegmentScorer, candidate_segments, detect, overlap
from whispersign_model.decoding.search import DecodingOptions, decode

PATCH = 4
GLOSSES = 3


def segment_scorer(*signs, lengths=(5, 10), height=0.9, score_threshold=0.0):
    """A network that is the surer of a sign ``(first step, end, id)`` the better a segment fits."""

    def score(segments):
        assert segments.dtype == np.int64
        probabilities = np.zeros((len(segments), GLOSSES + 1))
        for row, segment in zip(probabilities, (segments // PATCH).tolist()):
            for first, end, gloss_id in signs:
                common = max(0, min(end, segment[1]) - max(first, segment[0]))
                union = max(end, segment[1]) - min(first, segment[0])
                row[gloss_id] += height * common / union
            row[0] = 1 - row.sum()
        with np.errstate(divide="ignore"):
            return np.log(probabilities)

    return SegmentScorer(lengths, score_threshold, PATCH, score)


def spans(found):
    return [(span.gloss_id, span.start, span.end) for span in found.spans]


def test_signs_are_found_at_their_place_in_order_and_each_once():
    found = detect(60, segment_scorer((40, 50, 2), (10, 15, 1), (16, 26, 3)))
    assert found.ids == (1, 3, 2)
    assert spans(found) == [(1, 10, 15), (3, 16, 26), (2, 40, 50)]
    assert found.complete_spans
    assert found.n_best[0].ids == found.ids
    assert [span.confidence for span in found.spans] == pytest.approx([0.9] * 3)
    assert found.score == pytest.approx(3 * np.log(0.9))


def test_nothing_is_found_where_nothing_is_more_probable():
    found = detect(60, segment_scorer((20, 30, 1), height=0.49))
    assert found.ids == ()
    assert found.spans == ()


@pytest.mark.parametrize(("threshold", "ids"), [(0.59, (1,)), (0.61, ())])
def test_a_sign_is_probable_enough(threshold, ids):
    assert detect(60, segment_scorer((20, 30, 1), height=0.6, score_threshold=threshold)).ids == ids


def test_the_same_sign_twice_is_found_twice():
    assert spans(detect(40, segment_scorer((4, 14, 1), (14, 24, 1)))) == [(1, 4, 14), (1, 14, 24)]


def test_alternatives_come_best_first():
    found = detect(20, segment_scorer((4, 14, 1), (6, 14, 2), height=0.5))
    ((span),) = found.spans
    assert span.gloss_id == 1
    assert [other for other, _ in span.alternatives] == [2, 3]
    assert span.alternatives[0][1] == pytest.approx(0.4)


def test_segments_cover_the_clip_and_are_cut_at_its_end():
    places = list(candidate_segments(21, (5, 10)))
    assert len(set(places)) == len(places)
    assert {end - first for first, end in places} >= {5, 10}
    assert max(end for _, end in places) == 21
    for length in (5, 10):
        whole = [first for first, end in places if end - first == length]
        assert whole[:3] == [0, 2, 4]
    assert all(end - first >= 3 for first, end in places)  # half of the shortest
    assert list(candidate_segments(3, (5, 10))) == [(0, 3)]


def test_only_whole_segments_of_a_clip_that_goes_on_are_candidates():
    assert candidate_segments(12, (5, 10), ended=False) == [
        (first, first + length)
        for first in (0, 2, 4, 6)
        for length in (5, 10)
        if first <= 12 - length
    ]
    assert candidate_segments(4, (5, 10), ended=False) == []
    sign = segment_scorer((8, 15, 1), height=1.0, score_threshold=0.5)
    assert spans(detect(12, sign)) == [(1, 8, 12)]
    assert spans(detect(12, sign, ended=False)) == []
    assert spans(detect(15, sign, ended=False)) == [(1, 8, 13)]
    assert detect(4, sign, ended=False).ids == ()


def test_a_long_clip_is_scored_batch_by_batch():
    sizes = []
    whole = segment_scorer((3000, 3010, 2))

    def score(segments):
        sizes.append(len(segments))
        return whole.score(segments)

    assert spans(detect(6000, replace(whole, score=score))) == [(2, 3000, 3010)]
    assert max(sizes) <= 256
    assert sum(sizes) == len(list(candidate_segments(6000, whole.lengths)))


def test_overlap_is_a_share_of_the_shorter_segment():
    assert overlap((0, 10), (8, 12)) == 0.5
    assert overlap((8, 12), (0, 10)) == 0.5
    assert overlap((0, 10), (10, 12)) == 0


def test_a_detecting_network_needs_no_first_pass():
    rows = np.log(np.full((60, GLOSSES + 1), 0.25))
    found = decode(rows, "rescore", DecodingOptions(), segment_scorer((10, 15, 1)))
    assert found.ids == (1,)
    assert decode(rows, "greedy", DecodingOptions()).ids != found.ids
