# SPDX-License-Identifier: MIT
"""The visitors of the soak: what they sign can be recognized, and their rests are marked."""

from __future__ import annotations

import pytest

from reliability.room import HELD, SENTENCES, VISITORS, visits
from whispersign_model.benchmarks.room_figures import SETTLED
from whispersign_model.decoding.streaming import StreamingRecognizer, recognize_recording
from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.runtime.loading import load_backend
from whispersign_ros.node.assets import DEMO_MODEL

RATE, REST = 60.0, 8.0


@pytest.fixture(scope="module")
def round_():
    return visits(RATE, REST)


def test_a_round_has_signs_holds_rests_and_nobody(round_):
    signed = [visit.glosses for visit in round_ if visit.glosses]
    assert signed == [*SENTENCES, *((gloss,) for gloss in HELD)] * len(VISITORS)
    rests = [visit for visit in round_ if visit.segments and not visit.glosses]
    assert len(rests) == len(VISITORS)
    for visit in rests:
        (rest,) = visit.segments
        there = visit.stamps[visit.confidence.any(axis=1)]
        assert (rest.start - there[0]) / 1e9 == pytest.approx(SETTLED)
        assert (rest.end - rest.start) / 1e9 >= REST
    assert sum(not visit.confidence.any() for visit in round_) == len(VISITORS)
    assert all(visit.confidence[-1].max() == 0 for visit in round_)


def test_the_bundled_network_recognizes_every_visit(round_):
    metadata, backend = read_metadata(DEMO_MODEL), load_backend(DEMO_MODEL, "cpu", 1)
    for visit in round_:
        recognizer = StreamingRecognizer(
            backend, metadata.glosses, recipe=metadata.recipe, scale=metadata.confidence
        )
        results = recognize_recording(recognizer, Preprocessor(metadata.recipe), visit)
        found = [each.gloss for result in results if result.final for each in result.glosses]
        assert found == list(visit.glosses)
