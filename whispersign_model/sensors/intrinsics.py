# SPDX-License-Identifier: MIT
"""Camera intrinsics: convert pixels to rays."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from whispersign_model.arrays import Doubles
from whispersign_model.configuration import load_yaml
from whispersign_model.errors import ConfigError

PINHOLE, FISHEYE = ("", "plumb_bob", "rational_polynomial"), ("equidistant", "fisheye")
PINHOLE_NUMBERS, FISHEYE_NUMBERS = (4, 5, 8, 12, 14), (4,)  # allowed numbers of coefficients
ASPECT_TOLERANCE = 0.02  # tolerance between the aspect ratios of calibration and pictures


@dataclass(frozen=True)
class Intrinsics:
    """Focal lengths, principal point and distortion, as in ``sensor_msgs/CameraInfo``.

    Attributes:
        width, height: size of the pictures used for calibration, in pixels.
        focal: focal lengths along x and y in pixels.
        centre: principal point in pixels.
        model: distortion model, a member of ``PINHOLE`` or ``FISHEYE``; "" for none.
        distortion: coefficients of the distortion model.
    """

    width: int
    height: int
    focal: tuple[float, float]
    centre: tuple[float, float]
    model: str = ""
    distortion: tuple[float, ...] = ()

    @classmethod
    def of_view(cls, width: int, height: int, degrees: float) -> Intrinsics:
        """Return an ideal camera whose field of view along the longer side is ``degrees``."""
        focal = max(width, height) / 2 / math.tan(math.radians(degrees) / 2)
        return cls(width, height, (focal, focal), (width / 2, height / 2))

    @classmethod
    def calibrated(
        cls,
        size: tuple[int, int],
        matrix: tuple[float, ...],
        model: str,
        distortion: tuple[float, ...],
        subject: str,
    ) -> Intrinsics:
        """Create intrinsics from a distortion model and a camera matrix (9 numbers, row by row).

        Raises:
            ConfigError: ``subject`` is not calibrated, or its distortion model is unsupported.
        """
        if len(matrix) != 9 or not (matrix[0] > 0 and matrix[4] > 0) or min(size) < 1:
            raise ConfigError(subject, "holds no calibration", "calibrate, or give a field of view")
        if any(distortion) and model not in PINHOLE + FISHEYE:
            known = ", ".join(filter(None, PINHOLE + FISHEYE))
            raise ConfigError(subject, f"distortion model '{model}' is unknown", f"known: {known}")
        numbers = FISHEYE_NUMBERS if model in FISHEYE else PINHOLE_NUMBERS
        if any(distortion) and len(distortion) not in numbers:
            wanted = f"{model or 'pinhole'} has {' or '.join(map(str, numbers))}"
            raise ConfigError(subject, f"has {len(distortion)} distortion coefficients", wanted)
        if not np.isfinite([*matrix, *distortion]).all():
            raise ConfigError(
                subject, "contains a value that is not a finite number", "calibrate again"
            )
        return cls(
            *size,
            (matrix[0], matrix[4]),
            (matrix[2], matrix[5]),
            model if any(distortion) else "",
            distortion if any(distortion) else (),
        )

    def fitted(self, width: int, height: int) -> Intrinsics:
        """Return the intrinsics scaled to another picture size.

        Raises:
            ConfigError: the aspect ratio differs, which means that the pictures are cropped.
        """
        if (width, height) == (self.width, self.height):
            return self
        across, down = width / self.width, height / self.height
        if abs(across / down - 1) > ASPECT_TOLERANCE:
            raise ConfigError(
                "calibration",
                f"is for pictures of {self.width}x{self.height}, these are {width}x{height}",
                "calibrate at this size",
            )
        return replace(
            self,
            width=width,
            height=height,
            focal=(self.focal[0] * across, self.focal[1] * down),
            centre=(self.centre[0] * across, self.centre[1] * down),
        )

    def rays(self, pixels: Doubles) -> Doubles:
        """Convert pixels ``(n, 2)`` to points where their rays cross the plane at distance 1."""
        if not self.model:
            return np.asarray((pixels - np.array(self.centre)) / np.array(self.focal))
        import cv2  # only distorted pictures need it

        matrix = np.array(
            [[self.focal[0], 0, self.centre[0]], [0, self.focal[1], self.centre[1]], [0, 0, 1]]
        )
        points, lens = np.ascontiguousarray(pixels)[:, None], np.array(self.distortion)
        undistort = cv2.fisheye.undistortPoints if self.model in FISHEYE else cv2.undistortPoints
        return np.asarray(undistort(points, matrix, lens)[:, 0], dtype=np.float64)


class _Matrix(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)
    data: tuple[float, ...]


class _CalibrationFile(BaseModel):
    """The fields that we read of a file from ROS's camera calibrators."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)
    image_width: int = Field(ge=1)
    image_height: int = Field(ge=1)
    camera_matrix: _Matrix
    distortion_model: str = ""
    distortion_coefficients: _Matrix = _Matrix(data=())


def read_calibration(path: Path) -> Intrinsics:
    """Read a calibration file (YAML) of ROS's ``camera_calibration``.

    Raises:
        ConfigError: the file is missing, has another format, or contains no calibration.
    """
    file = load_yaml(_CalibrationFile, path)
    return Intrinsics.calibrated(
        (file.image_width, file.image_height),
        file.camera_matrix.data,
        file.distortion_model,
        file.distortion_coefficients.data,
        str(path),
    )
