# SPDX-License-Identifier: MIT
"""A small z-buffer rasteriser for the round shapes of hands.

It works in *screen space*, with x and y in pixels and the depth as f * ln(z). In this space, a
sphere at any depth remains a sphere, with a radius of f * r / z pixels, and rays are parallel to
the third axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whispersign_model.arrays import AnyFloats, Bools, Doubles
from whispersign_model.synthesis.camera import Camera
from whispersign_model.synthesis.vectors import normalise

Pixels = NDArray[np.floating[Any]]  # float32
NEAREST = 0.05  # meters from the camera; closer shapes are not drawn
CREASE = 0.05  # share of a bone at each end that lies in the fold of a joint
NAIL_BEGINS = 0.45  # position along the last bone at which the nail begins
NAIL_WIDTH = 0.72  # smallest cosine between the surface of a nail and the back of the finger


@dataclass(frozen=True)
class Paint:
    """The appearance of a shape's surface.

    Attributes:
        material: index of the color in the palette.
        back: ``(3,)`` unit vector out of the back of the hand, in screen space.
        creased: 1 if the ends lie in the folds of joints, else 0.
        nail: material of the nail at the end; 0 means no nail.
    """

    material: int
    back: tuple[float, float, float] = (0.0, 0.0, 0.0)
    creased: float = 0.0
    nail: int = 0


@dataclass
class Canvas:
    """The visible surface at each pixel; material 0 is the background.

    Attributes:
        depth: ``(H, W)`` depth in screen units.
        normals: ``(H, W, 3)`` unit normals in screen space.
        back: ``(H, W)`` from -1 on the palm side to 1 on the back of the hand.
        crease: ``(H, W)``, 1 in the folds of joints, else 0.
        material: ``(H, W)`` material indices.
    """

    depth: Pixels
    normals: Pixels
    back: Pixels
    crease: Pixels
    material: NDArray[np.uint8]

    @classmethod
    def empty(cls, camera: Camera) -> Canvas:
        """Return an empty canvas."""
        shape = (camera.height, camera.width)
        return cls(
            np.full(shape, np.inf, dtype=np.float32),
            np.zeros((*shape, 3), dtype=np.float32),
            np.zeros(shape, dtype=np.float32),
            np.zeros(shape, dtype=np.float32),
            np.zeros(shape, dtype=np.uint8),
        )

    def _window(self, low: Doubles, high: Doubles) -> tuple[slice, slice] | None:
        """Return the rows and columns of a pixel box, or None if it lies outside the picture."""
        height, width = self.depth.shape
        left, top = (max(int(np.floor(value)), 0) for value in low[:2])
        right, bottom = (
            min(int(np.ceil(value)) + 1, most) for value, most in zip(high[:2], (width, height))
        )
        return (slice(top, bottom), slice(left, right)) if left < right and top < bottom else None

    def _put(
        self,
        window: tuple[slice, slice],
        hit: Bools,
        depth: Pixels,
        normals: tuple[Pixels, Pixels, Pixels],
        paint: Paint,
        along: Pixels | None = None,
    ) -> None:
        """Draw the pixels of a shape that are closer than the current surface.

        ``along`` runs from 0 to 1 along a bone.
        """
        hit &= depth < self.depth[window]
        self.depth[window][hit] = depth[hit]
        for axis in range(3):
            self.normals[window][..., axis][hit] = normals[axis][hit]
        back = sum(n * np.float32(b) for n, b in zip(normals, paint.back))
        self.back[window][hit] = np.asarray(back)[hit]
        material = np.full(hit.shape, paint.material, dtype=np.uint8)
        crease = np.zeros(hit.shape, dtype=np.float32)
        if along is not None:
            crease[(along < CREASE) | (along > 1 - CREASE)] = paint.creased
            if paint.nail:
                material[(along > NAIL_BEGINS) & (back > NAIL_WIDTH)] = paint.nail
        self.crease[window][hit] = crease[hit]
        self.material[window][hit] = material[hit]

    def ball(self, centre: Doubles, radius: float, paint: Paint) -> None:
        """Draw a ball; ``centre`` ``(3,)`` and ``radius`` in screen space."""
        window = self._window(centre - radius, centre + radius)
        if window is None:
            return
        x, y = _grid(window, centre)
        square = radius * radius - x * x - y * y
        height = np.sqrt(np.maximum(square, 0.0))
        normals = (x / radius, y / radius, -height / radius)
        self._put(window, square > 0, np.float32(centre[2]) - height, normals, paint)

    def bone(self, start: Doubles, end: Doubles, radii: tuple[float, float], paint: Paint) -> None:
        """Draw a ball at each end, and the cone between them.

        The cone is exact for equal radii and a good approximation for similar ones.
        """
        self.ball(start, radii[0], paint)
        self.ball(end, radii[1], paint)
        along = end - start
        flat = float(np.hypot(along[0], along[1]))
        reach = max(radii)
        window = self._window(np.minimum(start, end) - reach, np.maximum(start, end) + reach)
        if window is None or flat < 1e-3:
            return
        x, y = _grid(window, start)
        ahead = np.float32(along[0] / flat), np.float32(along[1] / flat)
        forth = (x * ahead[0] + y * ahead[1]) / np.float32(flat)  # 0 at start, 1 at end
        aside = y * ahead[0] - x * ahead[1]
        radius = np.float32(radii[0]) + forth * np.float32(radii[1] - radii[0])
        square = radius * radius - aside * aside
        height = np.sqrt(np.maximum(square, 0.0))
        slope = float(along[2]) / flat
        length = float(np.hypot(1.0, slope))  # length of the axis per unit of its projection
        depth = np.float32(start[2]) + np.float32(along[2]) * forth - height * np.float32(length)
        # The axis point beneath the surface lies farther along the bone than the pixel.
        foot = forth - height * np.float32(slope / (length * flat))
        safe = np.maximum(radius, np.float32(1e-3))
        tilt = height * np.float32(slope / length)
        normals = (
            (tilt * ahead[0] - aside * ahead[1]) / safe,
            (tilt * ahead[1] + aside * ahead[0]) / safe,
            -height * np.float32(1 / length) / safe,
        )
        body = (square > 0) & (foot >= 0) & (foot <= 1)
        self._put(window, body, depth, normals, paint, foot)

    def plate(self, corners: Doubles, radii: Doubles, tilts: Doubles, paint: Paint) -> None:
        """Draw the front of a triangle ``(3, 3)`` that is as thick as the balls at its corners.

        Its normals are the back or palm direction of the paint plus ``tilts`` ``(3, 3)`` at the
        corners, so that adjacent plates look like one rounded surface.
        """
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        length = float(np.linalg.norm(normal))
        if length < 1e-6 or abs(normal[2]) / length < 0.05:
            return
        normal = normal / length * (-1.0 if normal[2] > 0 else 1.0)
        front = corners + radii[:, None] * normal
        window = self._window(front.min(axis=0), front.max(axis=0))
        if window is None:
            return
        first, second = front[1] - front[0], front[2] - front[0]
        area = first[0] * second[1] - first[1] * second[0]
        if abs(area) < 1e-6:
            return
        x, y = _grid(window, front[0])
        one = (x * np.float32(second[1]) - y * np.float32(second[0])) / np.float32(area)
        two = (y * np.float32(first[0]) - x * np.float32(first[1])) / np.float32(area)
        depth = np.float32(front[0, 2]) + one * np.float32(first[2]) + two * np.float32(second[2])
        facing = np.array(paint.back)
        towards = normalise(tilts + (facing if facing[2] < 0 else -facing))
        steps = (towards[1:] - towards[0]).astype(np.float32)
        normals = [
            np.float32(towards[0, a]) + one * steps[0, a] + two * steps[1, a] for a in range(3)
        ]
        inside = (one >= 0) & (two >= 0) & (one + two <= 1)
        self._put(window, inside, depth, (normals[0], normals[1], normals[2]), paint)


def to_screen(camera: Camera, points: AnyFloats, radii: Doubles) -> tuple[Doubles, Doubles] | None:
    """Convert points ``(n, 3)`` and radii ``(n,)`` from meters, sensor frame, to screen space.

    Returns:
        points ``(n, 3)`` and radii ``(n,)`` in screen units, or None if a point is too close.
    """
    z = camera.to_camera(points)[:, 2]
    if z.min() < NEAREST:
        return None
    screen = np.concatenate([camera.project(points), camera.focal * np.log(z)[:, None]], axis=1)
    return screen, radii * camera.focal / z


def _grid(window: tuple[slice, slice], origin: Doubles) -> tuple[Pixels, Pixels]:
    """Return the pixel coordinates ``(h, w)`` of a window, relative to ``origin``."""
    rows, columns = window
    x = np.arange(columns.start, columns.stop, dtype=np.float32) - np.float32(origin[0])
    y = np.arange(rows.start, rows.stop, dtype=np.float32) - np.float32(origin[1])
    return np.broadcast_arrays(x[None, :], y[:, None])  # type: ignore[return-value]
