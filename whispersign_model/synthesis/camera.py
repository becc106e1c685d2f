# SPDX-License-Identifier: MIT
"""A pinhole camera in front of the signer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whispersign_model.arrays import AnyFloats, Bools, Doubles, Floats
from whispersign_model.recordings.recording import median_wrist
from whispersign_model.skeleton import LEFT, RIGHT, WRIST

# A typical view of a signer from the waist up: a hand of 9 cm is 0.15 image heights long.
IMAGE_SCALE = 1.7  # image heights per meter
IMAGE_CENTER = (0.64, 0.72)  # image heights; place of the middle of all wrists


def image_heights(positions: Floats, confidence: Floats) -> Floats:
    """Convert hands in meters to what a camera in front of the signer delivers.

    The view is that of a distant camera, which shows all depths at one scale.

    Args:
        positions: ``(T, 42, 3)`` in meters, sensor frame (y up, z toward the signer).
        confidence: ``(T, 42)``; 0 means not tracked.

    Returns:
        positions ``(T, 42, 3)`` in image heights: x to the right and y down from the corner, z away
        from the camera relative to each wrist; 0 where not tracked.
    """
    seen = confidence > 0
    middle = median_wrist([(positions, confidence)])
    turned = (positions - middle) * (IMAGE_SCALE * np.array([-1.0, -1.0, 1.0]))
    for hand in (LEFT, RIGHT):
        turned[:, hand, 2] -= turned[:, hand.start + WRIST, None, 2]
    turned[..., :2] += IMAGE_CENTER
    return (turned * seen[..., None]).astype(np.float32)


@dataclass(frozen=True)
class Camera:
    """A camera level with the hands, facing the signer along +z of the sensor frame.

    The picture is not mirrored, so the signer's right hand appears on the left.

    Attributes:
        width, height: size of the picture in pixels.
        focal: focal length in pixels; the principal point is the picture's center.
        position: position of the camera in meters, sensor frame.
    """

    width: int = 640
    height: int = 480
    focal: float = 600.0
    position: tuple[float, float, float] = (0.0, 0.29, -0.72)

    @classmethod
    def sized(cls, width: int, height: int) -> Camera:
        """Return a camera with the standard view and this picture size."""
        return cls(width, height, focal=cls.focal * height / cls.height)

    def to_camera(self, points: AnyFloats) -> Doubles:
        """Convert points ``(..., 3)`` in meters to camera axes (x right, y down, z away)."""
        return np.asarray((points - np.array(self.position)) * [-1.0, -1.0, 1.0])

    def project(self, points: AnyFloats) -> Doubles:
        """Project points ``(..., 3)`` in meters, sensor frame, to pixels ``(..., 2)``."""
        x, y, z = np.moveaxis(self.to_camera(points), -1, 0)
        return np.stack(
            [self.focal * x / z + self.width / 2, self.focal * y / z + self.height / 2], axis=-1
        )

    def sees(self, points: AnyFloats, margin: float = 0.0) -> Bools:
        """Return whether all points ``(..., n, 3)`` lie ``margin`` pixels inside the picture."""
        pixels = self.project(points)
        inside = (pixels >= margin) & (pixels <= np.array([self.width, self.height]) - 1 - margin)
        return np.asarray(inside.all(axis=(-2, -1)))
