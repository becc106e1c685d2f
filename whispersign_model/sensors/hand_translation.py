# SPDX-License-Identifier: MIT
"""Estimate a hand's translation in meters from its shape and its landmarks in the picture.

MediaPipe provides the shape of a hand in meters about its center, in the camera's orientation, and
the landmarks in the picture. Only the translation is unknown. The estimate is the translation that
projects the shape onto the landmarks with the least squared error. A general PnP solver, which also
fits the rotation, does worse because the shapes of hands seen edge-on are inaccurate.

Across the line of sight, the position is accurate to a centimeter. Along it, the position is only
as accurate as the shape. Therefore, a scalar Kalman filter (random walk) smooths the distance, and
a shape that does not fit its picture gets little weight.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from whispersign_model.arrays import Doubles
from whispersign_model.skeleton import BONES, MIDDLE_MCP, WRIST
from whispersign_model.timestamps import NANOSECONDS

MEMORY = 10 * NANOSECONDS  # time over which the hand size is averaged
ITERATIONS = 5  # Gauss-Newton iterations; three converge to micrometers
NEAREST, FARTHEST = 0.05, 10.0  # meters from the camera; positions outside this range are rejected
WALK = 0.5  # meters; standard deviation of a hand's distance after one second
LEAST_ERROR = 0.02  # meters; error of the distance if the shape fits
MISFIT_ERROR = 3.0  # additional error, as a factor on distance times squared misfit
FORGET = NANOSECONDS * 3 // 10  # seconds of absence after which the filter restarts
NO_FIT = 1.0  # misfit above which shape and picture show different hands
HALF_FIT = 0.25  # misfit that halves the confidence, relative to the hand's extent
_FROM, _TO = np.array(BONES).T


@dataclass
class _Distance:
    """The filtered distance of a hand in meters, with its variance and the last stamp."""

    value: float = 0.0
    variance: float = 0.0
    stamp: int | None = None

    def see(self, stamp: int, measured: float, error: float) -> float:
        """Update the filter with a measurement and its standard deviation; return the distance."""
        known = self.stamp is not None and 0 <= stamp - self.stamp <= FORGET
        if self.stamp is None or not known:
            self.value, self.variance = measured, error**2
        else:
            variance = self.variance + WALK**2 * (stamp - self.stamp) / NANOSECONDS
            gain = variance / (variance + error**2)
            self.value += gain * (measured - self.value)
            self.variance = (1 - gain) * variance
        self.stamp = stamp
        return self.value


class HandTranslationEstimator:
    """Estimates the positions of one person's hands in front of a camera.

    The detected hand size varies by a tenth from picture to picture, and so does the distance
    derived from it. Real hands keep their size, so the estimate uses the median over the last
    seconds.

    Args:
        hand_length: distance from wrist to middle-finger MCP joint in meters; 0 uses the detector's
            estimate.
    """

    def __init__(self, hand_length: float = 0.0) -> None:
        self._hand_length = hand_length
        self._seen: deque[tuple[int, float, float]] = deque()  # stamp, all bones, wrist to MCP
        self._distances: dict[str, _Distance] = {}

    def place(
        self, side: str, stamp: int, world: Doubles, rays: Doubles
    ) -> tuple[Doubles, float] | None:
        """Estimate the position of a hand.

        Args:
            side: "left" or "right".
            stamp: capture time in nanoseconds.
            world: ``(21, 3)`` shape of the hand in meters, in camera axes (x right, y down, z
                away).
            rays: ``(21, 2)`` landmarks projected to unit distance; see ``Intrinsics.rays``.

        Returns:
            the joints ``(21, 3)`` in meters from the camera, each on the ray of its landmark, and a
            factor in (0, 1] that tells how well the shape fits the picture; None if no position in
            front of the camera explains the picture.
        """
        shape = world * self._scale(stamp, world)
        place = _translation(shape, rays)
        if place is None:
            return None
        joints = shape + place
        nearest, farthest = joints[:, 2].min(), joints[:, 2].max()
        if nearest < NEAREST or farthest > FARTHEST:
            return None
        away = np.linalg.norm(joints[:, :2] / joints[:, 2:] - rays, axis=1).mean()
        misfit = float(away / np.linalg.norm(rays - rays.mean(axis=0), axis=1).mean())
        if not misfit < NO_FIT:
            return None
        middle = float(joints[:, 2].mean())
        error = LEAST_ERROR + MISFIT_ERROR * middle * misfit**2
        distance = self._distances.setdefault(side, _Distance())
        depths = joints[:, 2:] + distance.see(stamp, middle, error) - middle
        return np.concatenate([rays * depths, depths], axis=1), 1 / (1 + (misfit / HALF_FIT) ** 2)

    def _scale(self, stamp: int, world: Doubles) -> float:
        """Return the factor that scales this shape to the person's usual hand size."""
        bones = float(np.linalg.norm(world[_FROM] - world[_TO], axis=1).sum())
        palm = float(np.linalg.norm(world[WRIST] - world[MIDDLE_MCP]))
        if self._seen and not -MEMORY < stamp - self._seen[-1][0] < MEMORY:
            self._seen.clear()  # after a long absence, this may be another person
        self._seen.append((stamp, bones, palm))
        while stamp - self._seen[0][0] > MEMORY:
            self._seen.popleft()
        usual = float(np.median([size for _, size, _ in self._seen]))
        known = 1.0
        if self._hand_length:
            palms = float(np.median([length for *_, length in self._seen]))
            known = self._hand_length / max(palms, 1e-9)
        return known * usual / max(bones, 1e-9)


def _translation(shape: Doubles, rays: Doubles) -> Doubles | None:
    """Return the translation ``(3,)`` that projects ``shape`` onto ``rays``, or None."""
    # Start with the linear problem: rays * (z + t_z) = (x, y) + (t_x, t_y).
    rows = np.zeros((2 * len(rays), 3))
    rows[0::2, 0] = rows[1::2, 1] = 1
    rows[:, 2] = -rays.reshape(-1)
    wanted = (rays * shape[:, 2:] - shape[:, :2]).reshape(-1)
    try:
        place = np.linalg.solve(rows.T @ rows, rows.T @ wanted)
        for _ in range(ITERATIONS):
            joints = shape + place
            depths = joints[:, 2:]
            if depths.min() <= 0:
                return None
            seen = joints[:, :2] / depths
            slopes = np.zeros_like(rows)
            slopes[0::2, 0] = slopes[1::2, 1] = 1 / depths[:, 0]
            slopes[:, 2] = -(seen / depths).reshape(-1)
            error = (rays - seen).reshape(-1)
            place = place + np.linalg.solve(slopes.T @ slopes, slopes.T @ error)
    except np.linalg.LinAlgError:
        return None
    return np.asarray(place, dtype=np.float64) if np.isfinite(place).all() else None
