# SPDX-License-Identifier: MIT
"""Signs joined to streams: ways that hands could go, and pauses."""

import numpy as np
import pytest

from whispersign_model.training_data.concatenation import join, resting

HAND = 0.09  # metres
FASTEST = 1.3 / 60 * 1.6  # metres a frame: the peak of a reach, with room for swing and ends


def hand(place, frames=20, velocity=(0, 0, 0), slots=(slice(21, 42),)):
    shape = np.random.default_rng(0).normal(0, 0.03, (21, 3))
    shape[0] = 0
    positions = np.zeros((frames, 42, 3), np.float32)
    confidence = np.zeros((frames, 42), np.float32)
    for joints in slots:
        steps = np.arange(frames)[:, None, None] * np.array(velocity)
        positions[:, joints] = np.array(place) + shape + steps
        confidence[:, joints] = 1
    return positions, confidence


def test_a_hand_goes_smoothly_from_where_it_was_to_where_it_will_be():
    first = hand((0, 0, 0), velocity=(0.004, 0, 0))
    second = hand((0.1, 0.3, 0.1), velocity=(0, -0.004, 0))
    stream = join([first, second], HAND, 60.0, np.random.default_rng(0))
    assert stream.starts[0] == 0
    way = stream.starts[1] - 20
    assert 0.14 * 60 * 0.8 <= way <= 60
    assert np.array_equal(stream.positions[:20], first[0])
    assert np.array_equal(stream.positions[stream.starts[1] :], second[0])
    wrist = stream.positions[:, 21]
    speed = np.linalg.norm(np.diff(wrist, axis=0), axis=1)
    assert speed.max() < FASTEST
    assert np.abs(np.diff(wrist, n=2, axis=0)).max() < 0.006
    bends = np.linalg.norm(np.diff(wrist, n=2, axis=0), axis=1)
    for seam in (18, stream.starts[1] - 2):  # the signs' own speed, 4 mm a frame, goes on
        assert bends[seam : seam + 2].max() < 0.0025
    assert stream.confidence[:, 21:].all()
    assert not stream.confidence[:, :21].any()
    assert not stream.positions[:, :21].any()


def test_a_turning_hand_keeps_its_bones():
    first = hand((0, 0, 0))
    turned = hand((0, 0, 0))
    turned[0][:, 21:] *= np.array([-1, -1, 1], np.float32)  # half a turn about z
    stream = join([first, turned], HAND, 60.0, np.random.default_rng(0))
    bones = np.linalg.norm(stream.positions[:, 30] - stream.positions[:, 21], axis=1)
    np.testing.assert_allclose(bones, bones[0], rtol=1e-3)
    steps = np.linalg.norm(np.diff(stream.positions[:, 21:], axis=0), axis=-1)
    assert steps.max() < 0.03, "no joint jumps"


def test_a_hand_that_only_one_sign_has_is_lost_or_found_on_the_way():
    left, right = slice(0, 21), slice(21, 42)
    for seed in range(5):
        stream = join(
            [hand((0, 0, 0), slots=(left, right)), hand((0.2, 0, 0), slots=(right,))],
            HAND,
            60.0,
            np.random.default_rng(seed),
        )
        seen = stream.confidence[:, 0] > 0
        assert seen[:20].all()
        assert not seen[stream.starts[1] - 1 :].any()
        assert (np.diff(seen.astype(int)) != 0).sum() == 1
        assert stream.confidence[:, 21].all()


@pytest.mark.parametrize("least", [1, 40])
def test_a_way_is_as_long_as_it_must_be(least):
    near = join([hand((0, 0, 0)), hand((0, 0, 0))], HAND, 60.0, np.random.default_rng(0), least)
    far = join([hand((0, 0, 0)), hand((1, 0, 0))], HAND, 60.0, np.random.default_rng(0), least)
    assert far.starts[1] > near.starts[1]
    assert near.starts[1] - 20 >= max(least, 6)


def test_resting_hands_stay_near_and_are_never_quite_still():
    pose = tuple(part[0] for part in hand((0, 0.2, 0)))
    positions, confidence = resting(pose, 60, HAND, 60.0, np.random.default_rng(0))
    assert positions.shape == (60, 42, 3)
    assert confidence[:, 21:].all()
    assert not positions[:, :21].any()
    moved = np.linalg.norm(np.diff(positions[:, 21], axis=0), axis=1)
    assert 0 < moved.mean() < 0.002
    assert np.linalg.norm(positions[0, 21] - pose[0][21]) < 0.3
