# SPDX-License-Identifier: MIT
"""Postures that signs hold, and the part of a take that only begins a sign."""

import numpy as np

from whispersign_model.skeleton import LEFT, MIDDLE_MCP, RIGHT
from whispersign_model.training_data.postures import Postures, begun_frames

from .hands import HAND, take


def test_a_part_begins_a_sign_only_if_the_hand_is_elsewhere_in_its_middle():
    assert begun_frames(*take(4.0), 1 / 8) == 6
    assert begun_frames(*take(1.2), 1 / 8) == 0  # 0.47 hand lengths to the middle
    assert begun_frames(*take(0.0), 1 / 8) == 0
    assert begun_frames(*take(4.0), 1.0) == 0
    positions, confidence = take(4.0)
    assert begun_frames(positions, confidence * 0, 1 / 8) == 0
    assert begun_frames(positions[:1], confidence[:1], 1 / 8) == 0
    confidence[10:] = 0
    assert begun_frames(positions, confidence, 1 / 8) == 0  # the hand leaves at once


def test_a_withdrawal_does_not_make_a_held_posture_the_beginning_of_a_sign():
    positions, confidence = take(0.0)
    positions[36:, RIGHT, 0] += np.linspace(0, 4 * HAND, 12)[:, None]
    assert begun_frames(positions, confidence, 1 / 8) == 0


def test_a_part_is_that_of_the_first_sign_of_a_sentence():
    assert begun_frames(*take(6.0), 1 / 8, (0, 24)) == 3
    assert begun_frames(*take(6.0), 1 / 8, (12, 36)) == 15


def opened(motion, frames, by=1.0):
    """Return the take with the fingers' ends elsewhere in its first frames, in hand lengths."""
    positions, confidence = motion
    changed = positions.copy()
    changed[:frames, RIGHT.start + MIDDLE_MCP + 1 : RIGHT.stop, 2] += 2 * by * HAND
    return changed, confidence


def test_a_hand_that_brings_its_posture_along_makes_the_sign_wherever_it_is():
    positions, confidence = take(0.0)
    positions[:12, RIGHT, 0] += np.linspace(4 * HAND, 0, 12)[:, None]
    assert begun_frames(positions, confidence, 1 / 8) == 0
    assert begun_frames(*opened((positions, confidence), 12), 1 / 8) == 6


def whole(motion):
    return (*motion, [(0, len(motion[0]))])


def test_a_posture_is_known_again_whatever_its_place_and_size():
    postures = Postures([whole(take(0.0)), whole(take(6.0, side=LEFT))])
    positions, confidence = take(0.0)
    larger = 2 * positions + (confidence > 0)[..., None]
    assert postures.include(larger.astype(np.float32), confidence, 5)
    assert not postures.include(*opened((positions, confidence), 12), 5)
    assert postures.include(*opened((positions, confidence), 12), 12)
    assert not postures.include(*take(0.0, side=LEFT), 5)  # of the other hand
    assert not postures.include(positions, 0 * confidence, 5)


def test_a_hand_that_moves_holds_no_posture():
    assert not Postures([whole(take(6.0))]).include(*take(0.0), 5)
    assert not Postures(()).include(*take(0.0), 5)
    assert not Postures([(*take(0.0), ())]).include(*take(0.0), 5)


def test_both_hands_have_to_have_the_posture_of_two():
    right, left = take(0.0), take(0.0, side=LEFT)
    both = right[0] + left[0], right[1] + left[1]
    postures = Postures([whole(both)])
    assert postures.include(*both, 0)
    assert not postures.include(*right, 0)
    assert not postures.include(*opened(both, 12), 0)
