# SPDX-License-Identifier: MIT
"""A pinhole camera that stands before the signer and looks at the hands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whispersign_model.arrays import AnyFloats, Bools, Doubles


@dataclass(frozen=True)
class Camera:
    """A camera level with the hands, looking along +z of the sensor frame: at the signer.

    As in any unmirrored picture of a person, the signer's right hand appears on the left.

    Attributes:
        width, height: pixels.
        focal: pixels, the same along both axes; the principal point is the picture's centre.
        position: metres, sensor frame.
    """

    width: int = 640
    height: int = 480
    focal: float = 600.0
    position: tuple[float, float, float] = (0.0, 0.29, -0.72)

    @classmethod
    def sized(cls, width: int, height: int) -> Camera:
        """The standard view in a picture of this size."""
        return cls(width, height, focal=cls.focal * height / cls.height)

    def to_camera(self, points: AnyFloats) -> Doubles:
        """Points ``(..., 3)`` metres, sensor frame -> x right, y down, z away from the camera."""
        return np.asarray((points - np.array(self.position)) * [-1.0, -1.0, 1.0])

    def project(self, points: AnyFloats) -> Doubles:
        """Points ``(..., 3)`` metres, sensor frame -> pixels ``(..., 2)``, x right and y down."""
        x, y, z = np.moveaxis(self.to_camera(points), -1, 0)
        return np.stack(
            [self.focal * x / z + self.width / 2, self.focal * y / z + self.height / 2], axis=-1
        )

    def sees(self, points: AnyFloats, margin: float = 0.0) -> Bools:
        """Whether all points ``(..., n, 3)`` are in the picture, ``margin`` pixels inside."""
        pixels = self.project(points)
        inside = (pixels >= margin) & (pixels <= np.array([self.width, self.height]) - 1 - margin)
        return np.asarray(inside.all(axis=(-2, -1)))
