# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from whispersign_model.synthesis.camera import Camera

CAMERA = Camera(width=640, height=480, focal=600.0, position=(0.0, 0.3, -0.7))


def test_the_camera_looks_at_the_signer() -> None:
    np.testing.assert_allclose(CAMERA.project(np.array([0.0, 0.3, 0.0])), [320, 240])
    right_hand = CAMERA.project(np.array([0.14, 0.3, 0.0]))
    np.testing.assert_allclose(right_hand, [200, 240])  # on the left, as we see a person
    raised = CAMERA.project(np.array([0.0, 0.37, 0.0]))
    np.testing.assert_allclose(raised, [320, 180])
    np.testing.assert_allclose(CAMERA.to_camera(np.array([0.1, 0.2, 0.0])), [-0.1, 0.1, 0.7])


def test_what_the_camera_sees() -> None:
    points = np.array([[[0.0, 0.3, 0.0], [0.1, 0.3, 0.0]], [[0.0, 0.3, 0.0], [0.5, 0.3, 0.0]]])
    assert CAMERA.sees(points).tolist() == [True, False]
    edge = np.array([[0.37, 0.3, 0.0]])  # three pixels from the left
    assert CAMERA.sees(edge)
    assert not CAMERA.sees(edge, margin=5)


def test_a_larger_picture_shows_the_same_view() -> None:
    points = np.random.default_rng(0).uniform(-0.2, 0.2, size=(9, 3))
    small, large = Camera(), Camera.sized(1280, 960)
    np.testing.assert_allclose(large.project(points), 2 * small.project(points))
    wide = Camera.sized(1280, 720)
    assert wide.focal == pytest.approx(1.5 * small.focal)
