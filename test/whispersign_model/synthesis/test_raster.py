# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from whispersign_model.synthesis.camera import Camera
from whispersign_model.synthesis.raster import Canvas, Paint, to_screen

CAMERA = Camera(width=100, height=80, focal=100.0, position=(0.0, 0.0, 0.0))


def canvas() -> Canvas:
    return Canvas.empty(CAMERA)


def point(x: float, y: float, z: float) -> np.ndarray:
    return np.array([x, y, z])


def test_a_ball_is_a_disc_with_its_front_towards_the_camera() -> None:
    drawn = canvas()
    drawn.ball(point(50, 40, 200), 20.0, Paint(3))
    area = np.count_nonzero(drawn.material == 3)
    assert area == pytest.approx(np.pi * 20**2, rel=0.03)
    assert drawn.depth[40, 50] == pytest.approx(180)
    np.testing.assert_allclose(drawn.normals[40, 50], [0, 0, -1], atol=1e-6)
    assert drawn.normals[40, 65, 0] == pytest.approx(0.75)
    lengths = np.linalg.norm(drawn.normals[drawn.material == 3], axis=1)
    np.testing.assert_allclose(lengths, 1.0, atol=1e-3)


def test_the_nearer_shape_hides_the_farther_in_either_order() -> None:
    near, far = (point(45, 40, 100), 10.0, Paint(1)), (point(55, 40, 200), 10.0, Paint(2))
    for order in ((near, far), (far, near)):
        drawn = canvas()
        for shape in order:
            drawn.ball(*shape)
        assert drawn.material[40, 50] == 1
        assert drawn.material[40, 60] == 2
        assert drawn.material[40, 80] == 0


def test_a_bone_is_as_long_and_thick_as_its_ends() -> None:
    drawn = canvas()
    drawn.bone(point(20, 40, 200), point(80, 40, 200), (10.0, 5.0), Paint(1))
    columns = drawn.material.sum(axis=0)
    assert columns[20] == pytest.approx(20, abs=1)
    assert columns[50] == pytest.approx(15, abs=1)
    assert columns[80] == pytest.approx(10, abs=1)
    assert columns[9] == columns[86] == 0
    assert drawn.depth[40, 50] == pytest.approx(200 - 7.5, abs=0.1)


def test_a_slanted_bone_comes_nearer_along_its_length() -> None:
    drawn = canvas()
    drawn.bone(point(20, 40, 300), point(80, 40, 240), (6.0, 6.0), Paint(1))
    # At 45 degrees the surface lies sqrt(2) radii before the axis.
    assert drawn.depth[40, 50] == pytest.approx(270 - 6 * np.sqrt(2), abs=0.2)
    expected = np.array([-1, 0, -1]) / np.sqrt(2)  # at right angles to the axis, to the camera
    np.testing.assert_allclose(drawn.normals[40, 50], expected, atol=0.02)


def test_folds_nails_and_the_back_are_marked() -> None:
    drawn = canvas()
    paint = Paint(1, back=(0.0, 0.0, -1.0), creased=1.0, nail=2)
    drawn.bone(point(20, 40, 200), point(80, 40, 200), (8.0, 8.0), paint)
    assert drawn.back[40, 50] == pytest.approx(1.0, abs=0.01)
    assert drawn.crease[40, 21] == 1
    assert drawn.crease[40, 50] == 0
    assert drawn.material[40, 70] == 2
    assert drawn.material[40, 30] == 1
    palm = canvas()
    palm.bone(point(20, 40, 200), point(80, 40, 200), (8.0, 8.0), Paint(1, (0, 0, 1.0), 1.0, 2))
    assert not (palm.material == 2).any()


def test_a_plate_fills_its_triangle_and_lies_before_its_corners() -> None:
    drawn = canvas()
    corners = np.array([[20, 20, 200], [80, 20, 200], [20, 60, 200]], dtype=float)
    drawn.plate(corners, np.full(3, 4.0), np.zeros((3, 3)), Paint(1, (0.0, 0.0, -1.0)))
    assert np.count_nonzero(drawn.material) == pytest.approx(60 * 40 / 2, rel=0.06)
    assert drawn.depth[30, 30] == pytest.approx(196)
    np.testing.assert_allclose(drawn.normals[30, 30], [0, 0, -1], atol=1e-6)


def test_shapes_outside_the_picture_are_left_out() -> None:
    drawn = canvas()
    drawn.ball(point(-50, 40, 200), 10.0, Paint(1))
    drawn.bone(point(50, 200, 200), point(50, 300, 200), (9.0, 9.0), Paint(1))
    assert not drawn.material.any()
    drawn.ball(point(0, 0, 200), 10.0, Paint(1))  # a quarter of it
    assert np.count_nonzero(drawn.material) == pytest.approx(np.pi * 100 / 4, rel=0.15)


def test_screen_space_keeps_balls_round_and_orders_by_depth() -> None:
    placed = to_screen(CAMERA, np.array([[0, 0, 0.5], [0, 0, 1.0]]), np.array([0.01, 0.01]))
    assert placed is not None
    points, radii = placed
    np.testing.assert_allclose(points[:, :2], [[50, 40], [50, 40]])
    np.testing.assert_allclose(radii, [2.0, 1.0])
    assert points[0, 2] < points[1, 2]
    moved = to_screen(CAMERA, np.array([[0.001, 0, 0.5], [0, 0, 0.501]]), np.zeros(2))
    assert moved is not None
    steps = moved[0] - points[0]
    assert -steps[0, 0] == pytest.approx(steps[1, 2], rel=0.01)  # the same scale on all axes
    assert to_screen(CAMERA, np.array([[0, 0, -0.1]]), np.zeros(1)) is None
