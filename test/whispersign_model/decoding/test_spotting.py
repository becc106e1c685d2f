"""Spotting: signs of any length in other movement, each of them once."""

from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.decoding.search import DecodingOptions, decode
from whispersign_model.decoding.spotting import Memory, Spotter, common, spot, stretches

PATCH = 4
GLOSSES = 3


def spotter(*signs, lengths=(5, 10), height=0.9, least=0.0):
    """A network that is the surer of a sign ``(first step, end, id)`` the better a stretch fits."""

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

    return Spotter(lengths, least, PATCH, read)


def spans(found):
    return [(span.gloss_id, span.start, span.end) for span in found.spans]


def test_signs_are_found_at_their_place_in_order_and_each_once():
    found = spot(60, spotter((40, 50, 2), (10, 15, 1), (16, 26, 3)))
    assert found.ids == (1, 3, 2)
    assert spans(found) == [(1, 10, 15), (3, 16, 26), (2, 40, 50)]
    assert found.whole
    assert found.n_best[0].ids == found.ids
    assert [span.confidence for span in found.spans] == pytest.approx([0.9] * 3)
    assert found.score == pytest.approx(3 * np.log(0.9))


def test_nothing_is_found_where_nothing_is_more_probable():
    found = spot(60, spotter((20, 30, 1), height=0.49))
    assert found.ids == ()
    assert found.spans == ()


@pytest.mark.parametrize(("least", "ids"), [(0.59, (1,)), (0.61, ())])
def test_a_sign_is_probable_enough(least, ids):
    assert spot(60, spotter((20, 30, 1), height=0.6, least=least)).ids == ids


def test_the_same_sign_twice_is_found_twice():
    assert spans(spot(40, spotter((4, 14, 1), (14, 24, 1)))) == [(1, 4, 14), (1, 14, 24)]


def test_other_glosses_are_told_best_first():
    found = spot(20, spotter((4, 14, 1), (6, 14, 2), height=0.5))
    ((span),) = found.spans
    assert span.gloss_id == 1
    assert [other for other, _ in span.alternatives] == [2, 3]
    assert span.alternatives[0][1] == pytest.approx(0.4)


def test_every_place_is_looked_at_and_cut_at_the_end():
    places = list(stretches(21, (5, 10)))
    assert len(set(places)) == len(places)
    assert {end - first for first, end in places} >= {5, 10}
    assert max(end for _, end in places) == 21
    for length in (5, 10):
        whole = [first for first, end in places if end - first == length]
        assert whole[:3] == [0, 2, 4]
    assert all(end - first >= 3 for first, end in places)  # half of the shortest
    assert list(stretches(3, (5, 10))) == [(0, 3)]


def test_a_long_clip_is_read_part_by_part():
    sizes = []
    whole = spotter((3000, 3010, 2))

    def read(places):
        sizes.append(len(places))
        return whole.read(places)

    assert spans(spot(6000, replace(whole, read=read))) == [(2, 3000, 3010)]
    assert max(sizes) <= 256
    assert sum(sizes) == len(list(stretches(6000, whole.lengths)))


def test_what_two_stretches_have_in_common():
    assert common((0, 10), (8, 12)) == 0.5
    assert common((8, 12), (0, 10)) == 0.5
    assert common((0, 10), (10, 12)) == 0


def test_of_a_growing_clip_no_stretch_is_read_twice():
    """At first all 50 frames; then 80 of them, of which the first 10 have been forgotten."""
    asked = []

    def read(first_stamp):
        def said(places):
            asked.append(places.tolist())
            ends = (places + first_stamp).astype(float)
            return np.stack([ends[:, 0], ends[:, 1], ends.sum(axis=1)], axis=1)

        return Spotter((5,), 0.5, PATCH, said)

    memory = Memory()
    places = np.array([[10, 30], [12, 50], [40, 52]])
    before = memory.of(read(100), range(100, 150)).read(places)
    assert asked.pop() == places.tolist()
    later = np.array([[0, 20], [2, 40], [30, 42], [50, 70]])
    after = memory.of(read(110), range(110, 180)).read(later)
    assert asked.pop() == [[30, 42], [50, 70]], "the first of them was cut where the clip ended"
    assert after[:2].tolist() == before[:2].tolist()
    assert after[:, 2].tolist() == [2 * 110 + first + last for first, last in later.tolist()]
    again = memory.of(read(110), range(110, 180)).read(later)
    assert again.tolist() == after.tolist()
    assert asked == []


def test_a_network_that_spots_needs_no_first_pass():
    rows = np.log(np.full((60, GLOSSES + 1), 0.25))
    found = decode(rows, "rescore", DecodingOptions(), spotter((10, 15, 1)))
    assert found.ids == (1,)
    assert decode(rows, "greedy", DecodingOptions()).ids != found.ids
