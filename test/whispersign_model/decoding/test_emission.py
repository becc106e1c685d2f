# SPDX-License-Identifier: MIT
"""Emission: every change is reported once, every final gloss is emitted once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from whispersign_model.decoding.confidence import ConfidenceScale
from whispersign_model.decoding.emission import ResultEmitter
from whispersign_model.decoding.endpoint import Endpoint
from whispersign_model.decoding.hypothesis import Hypothesis, Span

GLOSSES = ("HELLO", "YES", "NO")


def hypothesis(*ids, confidences=()):
    sure = confidences or (1.0,) * len(ids)
    return Hypothesis(
        ids, 0.0, tuple(Span(i, n, n + 1, c) for n, (i, c) in enumerate(zip(ids, sure)))
    )


def utterance(*ids, stable=0):
    """Return an utterance whose first pass has read some glosses."""
    read = hypothesis(*ids)
    return SimpleNamespace(
        stamps=[0, 7],
        stable=ids[:stable],
        best=lambda: ids,
        hypothesis=lambda: read,
        locate=lambda of: [(span.start, span.end) for span in of.spans],
    )


@pytest.fixture
def emitter():
    return ResultEmitter(GLOSSES, ConfidenceScale(), min_confidence=0.5)


def emit(emitter, *ids, confidences=(), endpoint=None):
    """Return the final glosses emitted of a second pass."""
    read = hypothesis(*ids, confidences=confidences)
    glosses = emitter.recognized(utterance(), read, len(ids))
    results = emitter.final(utterance(), glosses, endpoint)
    return [gloss.gloss for result in results for gloss in result.glosses]


def test_a_partial_result_comes_when_glosses_or_stable_ones_change(emitter):
    assert emitter.partial(utterance()) == []
    (first,) = emitter.partial(utterance(1))
    assert (first.final, first.stamp, first.endpoint) == (False, 7, None)
    assert [(gloss.gloss, gloss.stable) for gloss in first.glosses] == [("HELLO", False)]
    assert emitter.partial(utterance(1)) == []
    (stable,) = emitter.partial(utterance(1, stable=1))
    assert [gloss.stable for gloss in stable.glosses] == [True]
    (ahead,) = emitter.partial(utterance(1, stable=1), hypothesis(1, 2))
    assert [gloss.gloss for gloss in ahead.glosses] == ["HELLO", "YES"]


def test_emitted_glosses_are_in_no_later_result(emitter):
    assert emit(emitter, 1) == ["HELLO"]
    assert emit(emitter, 1) == []
    assert emitter.partial(utterance(1)) == []
    (partial,) = emitter.partial(utterance(1, 2))
    assert [gloss.gloss for gloss in partial.glosses] == ["YES"]
    assert emit(emitter, 1, 2) == ["YES"]
    emitter.reset()
    assert emit(emitter, 1) == ["HELLO"]


def test_final_results_are_numbered_and_name_their_endpoint(emitter):
    glosses = emitter.recognized(utterance(), hypothesis(1), 1)
    (result,) = emitter.final(utterance(), glosses, Endpoint.EARLY_REST)
    assert (result.final, result.utterance_id, result.stamp) == (True, 0, 7)
    assert result.endpoint is Endpoint.EARLY_REST
    assert emitter.utterance_id == 1
    assert emitter.final(utterance(), glosses) == []
    assert emitter.utterance_id == 1


def test_glosses_below_the_least_confidence_wait_at_the_end_and_are_left_out_elsewhere(emitter):
    assert emit(emitter, 1, 2, 3, confidences=(0.4, 0.9, 0.4)) == ["YES"]
    assert emitter.emitted == (1, 2)
    assert emit(emitter, 1, 2, 3, confidences=(0.9, 0.9, 0.9)) == ["NO"]
