# SPDX-License-Identifier: MIT
"""Endpoint rules: each one fires at its time, under its name, without a network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.decoding.endpoint import (
    Endpoint,
    EndpointDetector,
    EndpointOptions,
    Evidence,
)
from whispersign_model.decoding.hypothesis import Hypothesis, Span
from whispersign_model.features.recipe import Recipe

RATE = 60
CERTAIN = Evidence((1,), Hypothesis((1,), -0.1, (Span(1, 0, 1, 0.9),)), has_new=True)


def frame(velocity=0.0, hands=True):
    """Return a frame whose right hand moves at a velocity in each direction."""
    features = np.zeros((42, 7), np.float32)
    if hands:
        features[21:, 6] = 1
        features[21, 3:6] = velocity
    return features


class Stream:
    """A detector with its stream of frames; its hand moves at 0 s."""

    def __init__(self, **options):
        self.detector = EndpointDetector(EndpointOptions(**options), Recipe())
        self.frames = 0
        self.stamp = 0
        assert self.push(frame(3.0))

    def push(self, features):
        self.stamp = round(self.frames * 1e9 / RATE)
        self.frames += 1
        return self.detector.push(features, self.stamp)

    def until(self, seconds, features):
        """Push the same frame up to and including a time."""
        started = [self.push(features) for _ in range(round(seconds * RATE) + 1 - self.frames)]
        return any(started)

    @property
    def ended_by(self):
        return self.detector.from_motion(self.frames / RATE, self.stamp)

    def paused(self):
        return self.detector.pauses(self.stamp)

    def ended_early_by(self, evidence):
        return self.detector.from_glosses(self.stamp, evidence)


def test_an_utterance_starts_when_hands_appear_or_move_again():
    stream = Stream()
    assert stream.until(0.1, frame()), "the hand has just moved"
    stream.until(0.5, frame())
    assert not stream.until(1.0, frame()), "a held posture starts no second utterance"
    assert stream.push(frame(9.0))
    stream.until(1.5, frame())
    assert not stream.until(1.7, frame(hands=False))
    assert not stream.push(frame()), "the tracker lost the resting hand for a moment"
    assert not stream.until(2.5, frame(hands=False))
    assert stream.push(frame()), "the hand came back"


def test_hands_absent():
    stream = Stream(absent_timeout=0.5)
    stream.until(29 / RATE, frame(hands=False))
    assert stream.ended_by is None
    stream.push(frame(hands=False))
    assert stream.ended_by is Endpoint.HANDS_ABSENT


def test_maximum_length():
    stream = Stream(max_length=2.0)
    stream.until(118 / RATE, frame(1.0))
    assert stream.ended_by is None
    stream.push(frame(1.0))
    assert stream.ended_by is Endpoint.MAX_LENGTH


def test_absent_hands_count_before_the_maximum_length():
    stream = Stream(max_length=2.0)
    stream.until(2.0, frame(hands=False))
    assert stream.ended_by is Endpoint.HANDS_ABSENT


def test_trailing_silence():
    stream = Stream(trailing_silence_timeout=1.5)
    stream.until(0.3, frame())
    resting = stream.detector.motion.last_moving / 1e9
    assert 0 < resting < 0.25, "the window of the mean speed ends the movement late"
    stream.until(resting + 1.5 - 1 / RATE, frame())
    assert stream.ended_by is None
    stream.push(frame())
    assert stream.ended_by is Endpoint.TRAILING_SILENCE


def test_early_rest():
    stream = Stream(early_rest_timeout=0.5)
    stream.until(0.3, frame())
    resting = stream.detector.motion.last_moving / 1e9
    stream.until(resting + 0.5 - 1 / RATE, frame())
    assert not stream.paused()
    stream.push(frame())
    assert stream.paused()
    assert stream.ended_early_by(CERTAIN) is Endpoint.EARLY_REST


def test_early_absent():
    stream = Stream(early_absent_timeout=0.25)
    stream.until(14 / RATE, frame(hands=False))
    assert not stream.paused()
    stream.push(frame(hands=False))
    assert stream.paused()
    assert stream.ended_early_by(CERTAIN) is Endpoint.EARLY_ABSENT


def test_only_early_rules_leave_the_utterance_open():
    early = {endpoint for endpoint in Endpoint if endpoint.is_early}
    assert early == {Endpoint.EARLY_ABSENT, Endpoint.EARLY_REST}


def test_an_early_rule_fires_once_in_a_pause():
    stream = Stream()
    for seconds in (1.0, 1.1):
        stream.until(seconds, frame())
        assert stream.paused()
    assert stream.ended_early_by(CERTAIN) is Endpoint.EARLY_REST
    assert stream.ended_early_by(CERTAIN) is None
    stream.push(frame(9.0))
    assert not stream.paused()
    stream.until(2.0, frame())
    assert stream.paused()
    assert stream.ended_early_by(CERTAIN) is Endpoint.EARLY_REST
    stream.detector.restart()
    assert stream.ended_early_by(CERTAIN) is Endpoint.EARLY_REST


@pytest.mark.parametrize(
    "evidence",
    [
        replace(CERTAIN, partial=(2,)),
        replace(CERTAIN, has_new=False),
        replace(CERTAIN, end_hypothesis=Hypothesis((1,), -0.1, (Span(1, 0, 1, 0.79),))),
        replace(CERTAIN, partial=(), end_hypothesis=Hypothesis((), 0.0)),
    ],
    ids=["reads on differently", "emitted already", "low confidence", "no gloss"],
)
def test_early_rules_need_certain_new_glosses(evidence):
    stream = Stream(early_confidence=0.8)
    stream.until(1.0, frame())
    assert stream.paused()
    assert stream.ended_early_by(evidence) is None
    assert stream.ended_early_by(CERTAIN) is Endpoint.EARLY_REST
