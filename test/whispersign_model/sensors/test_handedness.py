# SPDX-License-Identifier: MIT
"""Left and right against a detector that errs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.sensors.detector import Detection
from whispersign_model.sensors.handedness import HandednessTracker
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
    assert HandednessTracker().assign(0, [left, right]) == (left, right)
    assert HandednessTracker().assign(0, [right, left]) == (left, right)
    assert HandednessTracker().assign(0, [right]) == (None, right)
    assert HandednessTracker().assign(0, []) == (None, None)


def test_two_left_hands_are_a_left_and_a_right_one(pair):
    left, right = pair
    surer, other = named(left, 0.02), named(right, 0.3)
    assert HandednessTracker().assign(0, [surer, other]) == (surer, other)
    sides = HandednessTracker()
    for number in range(10):
        assert sides.assign(number * FRAME, [right, left]) == (left, right)
    for number in range(10, 20):
        called_left = named(right, 0.05)
        assert sides.assign(number * FRAME, [called_left, left]) == (left, called_left)


def test_a_moment_of_error_does_not_change_the_side(pair):
    _, right = pair
    sides = HandednessTracker()
    for number in range(30):
        hand = named(moved(right, 3.0 * number), 0.1 if 15 <= number < 20 else 0.95)
        assert sides.assign(number * FRAME, [hand])[1] is hand


def test_a_wrong_beginning_is_corrected(pair):
    _, right = pair
    sides = HandednessTracker()
    assert sides.assign(0, [named(right, 0.3)])[0] is not None
    for number in range(1, 60):
        sides.assign(number * FRAME, [right])
    assert sides.assign(60 * FRAME, [right]) == (None, right)


def test_hands_that_cross_stay_the_same_hands(pair):
    left, right = pair
    apart = left.pixels.mean(axis=0)[0] - right.pixels.mean(axis=0)[0]
    sides = HandednessTracker()
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
    assert HandednessTracker().assign(0, [again, right]) == (None, right)


def test_a_hand_that_was_away_is_recognised_anew(pair):
    left, right = pair
    sides = HandednessTracker()
    for number in range(30):
        sides.assign(number * FRAME, [right])
    other = replace(left, pixels=right.pixels)
    assert sides.assign(60 * FRAME, [other]) == (other, None)


def test_time_that_steps_back_forgets_everything(pair):
    left, right = pair
    sides = HandednessTracker()
    sides.assign(10 * FRAME, [right])
    other = replace(left, pixels=np.array(right.pixels))
    assert sides.assign(0, [other]) == (other, None)


def test_a_quick_hand_that_is_found_anew_beside_itself_is_one_hand(pair):
    _, right = pair
    sides = HandednessTracker()
    for number in range(10):
        assert sides.assign(number * FRAME, [right])[1] is right
    for number in range(10, 13):
        late = named(moved(right, 0.9 * right.extent), 0.85)
        assert sides.assign(number * FRAME, [late, right]) == (None, right)
    assert sides.assign(13 * FRAME, [right]) == (None, right)


def test_two_hands_with_one_name_beside_each_other_stay_two(pair):
    left, right = pair
    sides = HandednessTracker()
    for number in range(10):
        sides.assign(number * FRAME, [left, right])
    shift = right.pixels.mean(axis=0) - left.pixels.mean(axis=0) + np.array([right.extent, 0.0])
    near = replace(left, pixels=left.pixels + shift, right=0.9)
    assert sides.assign(10 * FRAME, [near, right]) == (near, right)


def test_hands_side_by_side_are_not_crossed_when_the_detector_cannot_tell(pair):
    left, right = pair
    sides = HandednessTracker()
    for number in range(20):
        wrong = number % 2  # now both right, now the wrong way round
        hands = [named(left, 0.97), named(right, 0.9 - 0.5 * wrong)]
        found = sides.assign(number * FRAME, hands)
        assert found == (hands[0], hands[1])


def test_hands_held_crossed_are_believed_when_the_detector_is_sure(pair):
    left, right = pair
    crossed = [
        replace(left, pixels=right.pixels, right=0.02),
        replace(right, pixels=left.pixels, right=0.98),
    ]
    assert HandednessTracker().assign(0, crossed) == tuple(crossed)


def test_the_first_votes_count_alike(pair):
    _, right = pair
    sides = HandednessTracker()
    sides.assign(0, [named(right, 0.4)])
    sides.assign(FRAME, [named(right, 0.35)])
    sure = named(right, 0.99)
    assert sides.assign(2 * FRAME, [sure]) == (None, sure)


def test_a_ghost_seen_once_does_not_take_over(pair):
    _, right = pair
    sides = HandednessTracker()
    for number in range(20):
        sides.assign(number * FRAME, [right])
    ghost = named(moved(right, 0.7 * right.extent), 0.2)
    sides.assign(20 * FRAME, [right, ghost])
    between = moved(right, 0.4 * right.extent)
    assert sides.assign(21 * FRAME, [between]) == (None, between)


def test_the_one_hand_seen_where_two_meet_is_told_by_its_name(pair):
    left, right = pair
    meeting = right.pixels.mean(axis=0) - left.pixels.mean(axis=0) + np.array([right.extent, 0.0])
    left = replace(left, pixels=left.pixels + meeting)
    sides = HandednessTracker()
    for number in range(20):
        assert sides.assign(number * FRAME, [left, right]) == (left, right)
    between = replace(left, pixels=left.pixels - np.array([0.6 * right.extent, 0.0]))
    assert sides.assign(20 * FRAME, [between]) == (between, None)
