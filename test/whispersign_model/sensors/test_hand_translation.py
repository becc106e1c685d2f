# SPDX-License-Identifier: MIT
"""Metres from a hand's shape and its picture, against hands whose place is known."""

from __future__ import annotations

import numpy as np
import pytest

from whispersign_model.sensors.hand_translation import HandTranslationEstimator
from whispersign_model.skeleton import LEFT, RIGHT
from whispersign_model.synthesis.camera import Camera
from whispersign_model.timestamps import NANOSECONDS

CAMERA = Camera()


def view(positions, hand):
    """Return shape, rays and true place of a hand before the camera."""
    before = CAMERA.to_camera(positions[hand].astype(np.float64))
    return before - before.mean(axis=0), before[:, :2] / before[:, 2:], before


def test_exact_shapes_are_placed_to_a_tenth_of_a_millimetre(truth):
    placer = HandTranslationEstimator()
    errors = []
    for stamp, positions in zip(truth.stamps.tolist(), truth.positions):
        for side, hand in (("left", LEFT), ("right", RIGHT)):
            shape, rays, before = view(positions, hand)
            joints, fit = placer.place(side, stamp + NANOSECONDS * len(errors), shape, rays)
            assert fit > 0.999
            errors.append(np.abs(joints - before).max())
    assert max(errors) < 1e-4


def test_a_hand_that_the_detector_sees_too_large_now_and_then_stays_where_it_is(truth):
    placer = HandTranslationEstimator()
    shape, rays, before = view(truth.positions[20], RIGHT)
    places = []
    for number in range(60):
        factor = 1.2 if number % 5 == 4 else 1.0
        places.append(placer.place("right", number * 33_000_000, shape * factor, rays)[0])
    assert np.abs(np.array(places) - before).max() < 0.005


def test_a_known_hand_length_decides_the_distance(truth):
    shape, rays, before = view(truth.positions[20], RIGHT)
    length = np.linalg.norm(shape[0] - shape[9])
    joints, _ = HandTranslationEstimator(hand_length=length).place("right", 0, shape * 0.8, rays)
    np.testing.assert_allclose(joints, before, atol=1e-4)
    nearer, _ = HandTranslationEstimator().place("right", 0, shape * 0.8, rays)
    assert nearer[:, 2].mean() < 0.9 * before[:, 2].mean()


def test_a_hand_without_extent_is_no_hand():
    assert (
        HandTranslationEstimator(0.09).place("left", 0, np.zeros((21, 3)), np.zeros((21, 2)))
        is None
    )


def test_every_joint_lies_on_its_ray(truth):
    shape, rays, _ = view(truth.positions[20], RIGHT)
    rng = np.random.default_rng(0)
    joints, fit = HandTranslationEstimator().place(
        "right", 0, shape + rng.normal(0, 0.01, shape.shape), rays
    )
    np.testing.assert_allclose(joints[:, :2] / joints[:, 2:], rays, atol=1e-12)
    assert 0.2 < fit < 0.99


def test_a_shape_that_does_not_fit_moves_the_distance_little(truth):
    shape, rays, before = view(truth.positions[20], RIGHT)
    flat = shape * (0.3, 1.0, 0.3)  # as if seen from the edge
    placer = HandTranslationEstimator(hand_length=float(np.linalg.norm(shape[0] - shape[9])))
    for number in range(10):
        placer.place("right", number * 33_000_000, shape, rays)
    alone = HandTranslationEstimator(hand_length=0.09).place("right", 0, flat, rays)[0][:, 2].mean()
    after = placer.place("right", 330_000_000, flat, rays)[0][:, 2].mean()
    true = before[:, 2].mean()
    assert abs(after - true) < 0.3 * abs(alone - true)


def test_the_distance_is_found_anew_after_an_absence(truth):
    shape, rays, before = view(truth.positions[20], RIGHT)
    placer = HandTranslationEstimator()
    placer.place("right", 0, shape, rays)
    farther, _ = placer.place("right", NANOSECONDS, shape, rays / 2)
    assert farther[:, 2].mean() == pytest.approx(2 * before[:, 2].mean(), rel=0.05)


@pytest.mark.parametrize("rays", [np.zeros((21, 2)), np.full((21, 2), 0.3)])
def test_a_picture_that_no_hand_explains_gives_no_hand(truth, rays):
    shape, _, _ = view(truth.positions[20], RIGHT)
    assert HandTranslationEstimator().place("right", 0, shape, rays) is None
