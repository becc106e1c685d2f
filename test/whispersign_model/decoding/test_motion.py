# SPDX-License-Identifier: MIT
"""Motion of the hands: noise is rest, a slow sign is not, and each state has its name."""

from __future__ import annotations

import numpy as np
import pytest

from whispersign_model.decoding.motion import FASTEST_REST, REST_SPEED, HandMotion, HandState
from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.features.recipe import Recipe

RATE = 60
HAND = 0.09  # meters from wrist to middle MCP
FITTED = Recipe(
    scaling="standard",
    offset=[[0.0, 0.0, 0.0, 0.3, -0.2, 0.1, 0.0]] * 42,
    scale=[[1.0, 1.0, 1.0, 2.0, 4.0, 8.0, 1.0]] * 42,
)


def states(wrist, noise=0.0, recipe=None, tracked=None, seed=0):
    """Return the state in each frame of a right hand whose wrist takes a path, in meters."""
    recipe = recipe or Recipe()
    rng = np.random.default_rng(seed)
    hand = rng.uniform(-0.05, 0.05, (21, 3))
    hand[0], hand[9] = 0, (0, HAND, 0)
    positions = np.zeros((len(wrist), 42, 3), np.float32)
    positions[:, 21:] = hand + wrist[:, None] + noise * rng.standard_normal((len(wrist), 21, 3))
    confidence = np.zeros((len(wrist), 42), np.float32)
    confidence[:, 21:] = 1 if tracked is None else tracked[:, None]
    stamps = np.round(np.arange(len(wrist)) * 1e9 / RATE).astype(np.int64)
    preprocessor = Preprocessor(recipe)
    blocks = [preprocessor.push_frames(stamps, positions, confidence), preprocessor.flush()]
    motion = HandMotion(recipe, absent_timeout=0.5, rest_share=0.1)
    return [
        motion.push(frame, int(stamp))
        for block in blocks
        for frame, stamp in zip(block.frames, block.stamps)
    ]


def path(*parts):
    """Return a wrist's path along x from parts (hand lengths per second, seconds)."""
    speeds = np.concatenate([np.full(round(seconds * RATE), speed) for speed, seconds in parts])
    return np.outer(np.cumsum(speeds) * HAND / RATE, (1, 0, 0))


@pytest.mark.parametrize("noise", [0.0, 0.0002, 0.0005, 0.001, 0.003, 0.008])
@pytest.mark.parametrize("recipe", [Recipe(), FITTED], ids=["plain", "scaled"])
def test_a_motionless_hand_rests_whatever_the_noise(noise, recipe):
    seen = states(path((0, 30)), noise, recipe)
    assert set(seen[:6]) <= {HandState.ENTERING, HandState.MOVING}
    settled = 4 * RATE if noise > 0.002 else RATE // 2  # the noise floor needs time
    assert set(seen[settled:]) == {HandState.RESTING}


@pytest.mark.parametrize("noise", [0.0, 0.0005, 0.001])
def test_a_slow_hand_moves(noise):
    seen = states(path((0, 5), (1.0, 1), (0, 5)), noise)
    assert set(seen[5 * RATE + 12 : 6 * RATE]) == {HandState.MOVING}
    assert set(seen[6 * RATE + 24 :]) == {HandState.RESTING}


def test_a_hand_that_drifts_rests():
    assert set(states(path((0.9 * REST_SPEED, 5)))[30:]) == {HandState.RESTING}


def test_a_fast_sign_raises_the_threshold_up_to_a_limit():
    slow = 0.9 * FASTEST_REST
    seen = states(path((0, 1), (30, 1), (slow, 1), (1.1 * FASTEST_REST, 1)))
    assert set(seen[2 * RATE + 24 : 3 * RATE - 3]) == {HandState.RESTING}
    assert set(seen[3 * RATE + 24 : -3]) == {HandState.MOVING}
    assert HandState.RESTING not in states(path((slow, 1)))[30:], "no top speed, no noise floor"


@pytest.mark.parametrize("speed", [0.45, 0.6, 0.9, 1.1])
def test_a_steady_movement_is_no_noise(speed):
    seen = states(path((speed, 6), (1.05 * speed, 1)))
    assert set(seen[12:-3]) == {HandState.MOVING}


def test_hands_come_rest_leave_and_are_absent():
    tracked = np.ones(4 * RATE)
    tracked[: RATE // 2] = tracked[2 * RATE : 3 * RATE] = 0
    seen = states(path((0, 4)), tracked=tracked)
    order = [state for index, state in enumerate(seen) if index == 0 or state != seen[index - 1]]
    assert order == [
        HandState.ABSENT,
        HandState.ENTERING,
        HandState.RESTING,
        HandState.LEAVING,
        HandState.ABSENT,
        HandState.ENTERING,
        HandState.RESTING,
    ]
    assert seen.count(HandState.LEAVING) == pytest.approx(0.5 * RATE, abs=2)
    tracked[2 * RATE : 2 * RATE + 20] = 0
    tracked[2 * RATE + 20 :] = 1
    seen = states(path((0, 4)), tracked=tracked)
    assert HandState.ENTERING not in seen[2 * RATE - 10 :], "a short loss is no entrance"
