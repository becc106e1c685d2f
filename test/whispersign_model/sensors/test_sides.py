"""Left and right against a detector that errs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.sensors.detector import Detection
from whispersign_model.sensors.sides import Sides
from whispersign_model.skeleton import LEFT, RIGHT

from .conftest import perfect

FRAME = 33_000_000


@pytest.fixture
def pair(truth):
    positions = truth.positions[len(truth) * 3 // 4]
    return perfect(positions[LEFT], False), perfect(positions[RIGHT], True)


def named(hand: Detection, right: float) -> Detection:
    return replace(hand, right=right)


def moved(hand: Detection, x: float) -> Detection:
    return replace(hand, pixels=hand.pixels + np.array([x, 0.0]))


def test_hands_go_where_the_detector_says(pair):
    left, right = pair
    assert Sides().assign(0, [left, right]) == (left, right)
    assert Sides().assign(0, [right, left]) == (left, right)
    assert Sides().assign(0, [right]) == (None, right)
    assert Sides().assign(0, []) == (None, None)


def test_two_left_hands_are_a_left_and_a_right_one(pair):
    left, right = pair
    surer, other = named(left, 0.02), named(right, 0.3)
    assert Sides().assign(0, [surer, other]) == (surer, other)
    sides = Sides()
    for number in range(10):
        assert sides.assign(number * FRAME, [right, left]) == (left, right)
    for number in range(10, 20):
        called_left = named(right, 0.05)
        assert sides.assign(number * FRAME, [called_left, left]) == (left, called_left)


def test_a_moment_of_error_does_not_change_the_side(pair):
    _, right = pair
    sides = Sides()
    for number in range(30):
        hand = named(moved(right, 3.0 * number), 0.1 if 15 <= number < 20 else 0.95)
        assert sides.assign(number * FRAME, [hand])[1] is hand


def test_a_wrong_beginning_is_corrected(pair):
    _, right = pair
    sides = Sides()
    assert sides.assign(0, [named(right, 0.3)])[0] is not None
    for number in range(1, 60):
        sides.assign(number * FRAME, [right])
    assert sides.assign(60 * FRAME, [right]) == (None, right)


def test_hands_that_cross_stay_the_same_hands(pair):
    left, right = pair
    apart = left.pixels.mean(axis=0)[0] - right.pixels.mean(axis=0)[0]
    sides = Sides()
    for number in range(31):
        share = number / 30
        unsure = 0.5 if 0.3 < share < 0.7 else 0.95
        hands = [
            named(moved(left, -apart * share), 1 - unsure),
            named(moved(right, apart * share) if share else right, unsure),
        ]
        lower = replace(hands[1], pixels=hands[1].pixels + np.array([0.0, 60.0]))
        found = sides.assign(number * FRAME, [hands[0], lower])
        assert found == (hands[0], lower)


def test_one_hand_detected_twice_is_one_hand(pair):
    _, right = pair
    again = named(moved(right, 5.0), 0.2)
    assert Sides().assign(0, [again, right]) == (None, right)


def test_a_hand_that_was_away_is_recognised_anew(pair):
    left, right = pair
    sides = Sides()
    for number in range(30):
        sides.assign(number * FRAME, [right])
    other = replace(left, pixels=right.pixels)
    assert sides.assign(60 * FRAME, [other]) == (other, None)


def test_time_that_steps_back_forgets_everything(pair):
    left, right = pair
    sides = Sides()
    sides.assign(10 * FRAME, [right])
    other = replace(left, pixels=np.array(right.pixels))
    assert sides.assign(0, [other]) == (other, None)
