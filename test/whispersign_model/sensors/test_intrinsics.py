# SPDX-License-Identifier: MIT
"""Which direction a pixel looks in."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from whispersign_model.errors import ConfigError
from whispersign_model.sensors.intrinsics import Intrinsics, read_calibration

MATRIX = (600.0, 0.0, 330.0, 0.0, 610.0, 250.0, 0.0, 0.0, 1.0)
POINTS = np.array([[0.1, -0.2, 1.0], [-0.3, 0.15, 1.0], [0.0, 0.0, 1.0]])


def test_a_field_of_view_is_that_of_the_longer_side():
    wide, tall = Intrinsics.of_view(1280, 720, 90.0), Intrinsics.of_view(720, 1280, 90.0)
    np.testing.assert_allclose(wide.rays(np.array([[1280.0, 360.0]])), [[1.0, 0.0]], atol=1e-12)
    np.testing.assert_allclose(tall.rays(np.array([[360.0, 1280.0]])), [[0.0, 1.0]], atol=1e-12)


@pytest.mark.parametrize(
    ("model", "distortion"),
    [
        ("", ()),
        ("plumb_bob", (-0.2, 0.05, 0.001, -0.002, 0.0)),
        ("rational_polynomial", (-0.2, 0.05, 0.001, -0.002, 0.0, 0.1, 0.0, 0.0)),
        ("equidistant", (0.02, -0.01, 0.003, 0.0)),
    ],
)
def test_rays_undo_the_projection(model, distortion):
    matrix, lens = np.array(MATRIX).reshape(3, 3), np.array(distortion)
    zero = np.zeros(3)
    if model == "equidistant":
        pixels, _ = cv2.fisheye.projectPoints(POINTS[:, None], zero, zero, matrix, lens)
    else:
        pixels, _ = cv2.projectPoints(POINTS, zero, zero, matrix, lens if model else None)
    known = Intrinsics.calibrated((640, 480), MATRIX, model, distortion, "test")
    np.testing.assert_allclose(known.rays(pixels[:, 0]), POINTS[:, :2], atol=1e-5)


def test_pictures_of_half_the_size_have_the_same_rays():
    known = Intrinsics.calibrated((640, 480), MATRIX, "", (), "test")
    pixel = np.array([[100.0, 50.0]])
    np.testing.assert_allclose(known.fitted(320, 240).rays(pixel / 2), known.rays(pixel))
    with pytest.raises(ConfigError, match=r"640x480, these are 640x360; calibrate at this size"):
        known.fitted(640, 360)


def test_a_calibration_file_of_ros(tmp_path):
    file = tmp_path / "camera.yaml"
    file.write_text(
        "image_width: 640\nimage_height: 480\ncamera_name: narrow\n"
        f"camera_matrix: {{rows: 3, cols: 3, data: {list(MATRIX)}}}\n"
        "distortion_model: plumb_bob\n"
        "distortion_coefficients: {rows: 1, cols: 5, data: [-0.2, 0.05, 0.001, -0.002, 0.0]}\n"
    )
    known = read_calibration(file)
    assert (known.focal, known.centre) == ((600.0, 610.0), (330.0, 250.0))
    assert known.distortion[0] == -0.2


def test_faults_of_a_calibration(tmp_path):
    with pytest.raises(ConfigError, match=r"camera_info: holds no calibration"):
        Intrinsics.calibrated((640, 480), (0.0,) * 9, "plumb_bob", (0.0,) * 5, "camera_info")
    with pytest.raises(ConfigError, match=r"model 'double_sphere' is unknown; known: plumb_bob"):
        Intrinsics.calibrated((640, 480), MATRIX, "double_sphere", (0.1,), "camera_info")
    for model, count in (("plumb_bob", 3), ("equidistant", 5), ("rational_polynomial", 9)):
        with pytest.raises(ConfigError, match=rf"has {count} distortion coefficients; {model} has"):
            Intrinsics.calibrated((640, 480), MATRIX, model, (0.1,) * count, "camera_info")
    with pytest.raises(
        ConfigError, match=r"camera_info: contains a value that is not a finite number"
    ):
        Intrinsics.calibrated(
            (640, 480), MATRIX, "plumb_bob", (0.1,) * 4 + (np.nan,), "camera_info"
        )
    with pytest.raises(ConfigError, match=r"nosuch.yaml: cannot be read"):
        read_calibration(tmp_path / "nosuch.yaml")
    (tmp_path / "other.yaml").write_text("a: 1\n")
    with pytest.raises(ConfigError, match=r"other.yaml: image_width: Field required"):
        read_calibration(tmp_path / "other.yaml")
