# SPDX-License-Identifier: MIT
"""Endpoint rules: each one fires at its time, under its name, without a network."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.decoding.endpoint import (
    Endpoint,
    EndpointDetector,
    EndpointOptions,
    Evidence,
    MotionActivity,
    Pause,
    speed,
)
from whispersign_model.decoding.hypothesis import Hypothesis, Span

SECOND = 10**9
CERTAIN = Evidence((1,), Hypothesis((1,), -0.1, (Span(1, 0, 1, 0.9),)), emitted=(), silence=9.0)
UNCERTAIN = replace(CERTAIN, partial=())


def frame(velocity=0.0, hands=True):
    """Return a frame whose right hand moves at a velocity in each direction."""
    features = np.zeros((42, 7), np.float32)
    if hands:
        features[21:, 6] = 1
        features[21:, 3:6] = velocity
    return features


def opened(**options):
    """Return the detector of an utterance whose hand moved at 0 s."""
    detector = EndpointDetector(EndpointOptions(**options))
    assert detector.starts(frame(1.0), 0)
    assert detector.push(frame(1.0), 0) == pytest.approx(1.0)
    return detector


def at(seconds):
    return round(seconds * SECOND)


def test_speed_is_that_of_tracked_joints():
    features = frame(2.0)
    features[:21, 3:6] = 100
    assert speed(features) == pytest.approx(2.0)
    assert speed(frame(hands=False)) == 0


def test_hands_rest_below_a_share_of_the_top_speed():
    activity = MotionActivity(0.1, 0)
    for stamp, velocity in enumerate((2.0, 0.3, 0.1)):
        activity.push(frame(velocity), stamp)
    assert (activity.last_moving, activity.last_tracked) == (1, 2)
    activity.push(frame(hands=False), 3)
    assert (activity.last_moving, activity.last_tracked) == (1, 2)


def test_an_utterance_starts_when_hands_appear_or_move_again():
    detector = EndpointDetector(EndpointOptions())
    assert not detector.starts(frame(hands=False), 0)
    assert detector.starts(frame(), 1)
    detector.push(frame(1.0), 1)
    assert not detector.starts(frame(), 2), "a held posture starts no second utterance"
    assert detector.starts(frame(1.0), 3)
    assert not detector.starts(frame(), 4)
    assert not detector.starts(frame(hands=False), 5)
    assert detector.starts(frame(), 6), "the hand came back"
    assert not detector.starts(frame(), 7)
    detector.reset()
    assert detector.starts(frame(), 8)


def test_hands_absent():
    detector = opened(absent_timeout=0.5)
    detector.push(frame(hands=False), at(0.4))
    assert detector.from_motion(0, at(0.49)) is None
    assert detector.from_motion(0, at(0.5)) is Endpoint.HANDS_ABSENT


def test_maximum_length():
    detector = opened(max_length=2.0)
    detector.push(frame(1.0), at(2.0))
    assert detector.from_motion(at(0.1), at(2.0)) is None
    assert detector.from_motion(0, at(2.0)) is Endpoint.MAX_LENGTH


def test_absent_hands_count_before_the_maximum_length():
    assert opened(max_length=2.0).from_motion(0, at(2.0)) is Endpoint.HANDS_ABSENT


def test_trailing_silence():
    detector = opened(trailing_silence_timeout=1.5)
    detector.push(frame(), at(1.5))
    assert detector.pause(at(1.49)) is Pause.EARLY
    assert detector.from_glosses(at(1.49), UNCERTAIN) is None
    assert detector.pause(at(1.5)) is Pause.LONG
    for silence in (None, 1.49):
        assert detector.from_glosses(at(1.5), replace(UNCERTAIN, silence=silence)) is None
    assert detector.from_glosses(at(1.5), replace(UNCERTAIN, silence=1.5)) is (
        Endpoint.TRAILING_SILENCE
    )
    assert detector.from_glosses(at(1.5), replace(UNCERTAIN, silence=math.inf)) is (
        Endpoint.TRAILING_SILENCE
    )


def test_early_rest():
    detector = opened(early_rest_timeout=0.5)
    detector.push(frame(), at(0.5))
    assert detector.pause(at(0.49)) is Pause.NONE
    assert detector.pause(at(0.5)) is Pause.EARLY
    assert detector.from_glosses(at(0.5), CERTAIN) is Endpoint.EARLY_REST


def test_early_absent():
    detector = opened(early_absent_timeout=0.25)
    detector.push(frame(hands=False), at(0.24))
    assert detector.pause(at(0.24)) is Pause.NONE
    assert detector.pause(at(0.25)) is Pause.EARLY
    assert detector.from_glosses(at(0.25), CERTAIN) is Endpoint.EARLY_ABSENT


def test_only_early_rules_leave_the_utterance_open():
    early = {endpoint for endpoint in Endpoint if endpoint.is_early}
    assert early == {Endpoint.EARLY_ABSENT, Endpoint.EARLY_REST}


def test_an_early_rule_fires_once_in_a_pause():
    detector = opened()
    for stamp in (at(0.5), at(0.6)):
        detector.push(frame(), stamp)
        assert detector.pause(stamp) is Pause.EARLY
    assert detector.from_glosses(at(0.6), CERTAIN) is Endpoint.EARLY_REST
    assert detector.from_glosses(at(0.6), CERTAIN) is None
    detector.push(frame(1.0), at(0.7))
    assert detector.pause(at(0.7)) is Pause.NONE
    detector.push(frame(), at(1.2))
    assert detector.pause(at(1.2)) is Pause.EARLY
    assert detector.from_glosses(at(1.2), CERTAIN) is Endpoint.EARLY_REST
    detector.restart()
    assert detector.from_glosses(at(1.2), CERTAIN) is Endpoint.EARLY_REST


@pytest.mark.parametrize(
    "evidence",
    [
        replace(CERTAIN, partial=(2,)),
        replace(CERTAIN, emitted=(1,)),
        replace(CERTAIN, end_hypothesis=Hypothesis((1,), -0.1, (Span(1, 0, 1, 0.79),))),
        replace(CERTAIN, partial=(), end_hypothesis=Hypothesis((), 0.0)),
    ],
    ids=["reads on differently", "emitted already", "low confidence", "no gloss"],
)
def test_early_rules_need_certain_new_glosses(evidence):
    detector = opened(early_confidence=0.8)
    detector.push(frame(), at(0.6))
    assert detector.pause(at(0.6)) is Pause.EARLY
    assert detector.from_glosses(at(0.6), evidence) is None
    assert detector.from_glosses(at(0.6), CERTAIN) is Endpoint.EARLY_REST
