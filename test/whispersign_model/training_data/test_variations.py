# SPDX-License-Identifier: MIT
"""Reading at other times, mirroring, confusing hands, and seeing as a slower camera does."""

import numpy as np

from whispersign_model.features.planes import frames_of, planes
from whispersign_model.training_data.variations import (
    interpolate,
    mirrored,
    scale_motion,
    swapped_hands,
)


def test_mirroring_twice_is_the_same(movement):
    clip = movement(3, 2)
    once = mirrored(clip[..., :3], clip[..., 6])
    assert once[1][:, :21].all()
    np.testing.assert_array_equal(once[0][:, :21, 0], -clip[:, 21:, 0])
    np.testing.assert_array_equal(mirrored(*once)[0], clip[..., :3])


def test_a_hand_taken_for_the_other_stays_where_it_is(movement):
    clip = movement(3, 2)
    given = clip[..., :3].copy(), clip[..., 6].copy()
    positions, confidence = swapped_hands(*given, slice(2, 5))
    for ours, theirs in zip((positions, confidence), given):
        np.testing.assert_array_equal(ours[2:5, :21], theirs[2:5, 21:])
        np.testing.assert_array_equal(ours[2:5, 21:], theirs[2:5, :21])
        np.testing.assert_array_equal(
            np.delete(ours, slice(2, 5), 0), np.delete(theirs, slice(2, 5), 0)
        )
    np.testing.assert_array_equal(given[0], clip[..., :3])


def test_reading_between_frames_never_mixes_in_an_untracked_joint():
    positions = np.zeros((3, 42, 3), np.float32)
    confidence = np.zeros((3, 42), np.float32)
    positions[0], confidence[0] = 1, 1
    positions[2], confidence[2] = 3, 1
    read, sure = interpolate(positions, confidence, np.array([0.0, 0.4, 0.6, 1.6, 2.0]))
    assert read[:, 0, 0].tolist() == [1, 1, 0, 3, 3]
    assert sure[:, 0].tolist() == [1, 1, 0, 1, 1]


def test_hands_exaggerate_their_way_and_their_joints_each_by_its_own_factor(movement):
    clip = movement(3, 2)
    positions, confidence = clip[..., :3], clip[..., 6].copy()
    confidence[:5] = 0
    factors = np.array([[2, 1], [1, 0.5]], np.float32)  # the left way, the right joints
    farther = frames_of(scale_motion(planes(positions), confidence, factors))
    np.testing.assert_array_equal(farther[:5], positions[:5])
    middle = positions[5:, 0].mean(axis=0)
    for joint in (0, 12):
        moved = farther[5:, joint] - positions[5:, joint]
        np.testing.assert_allclose(moved, positions[5:, 0] - middle, atol=1e-5)
    np.testing.assert_allclose(farther[:, 21], positions[:, 21], atol=1e-6)
    shape, flat = (each[5:, 29] - each[5:, 21] for each in (positions, farther))
    np.testing.assert_allclose(flat, (shape + shape.mean(axis=0)) / 2, atol=1e-5)


def test_mirroring_at_a_plane_keeps_what_lies_in_it(movement):
    clip = movement(3, 2)
    clip[:, 21, 0] = 0.4
    positions, _ = mirrored(clip[..., :3], clip[..., 6], plane=0.4)
    np.testing.assert_allclose(positions[:, 0, 0], 0.4, atol=1e-6)
    assert not positions[:, 21:].any()
