# SPDX-License-Identifier: MIT
"""Velocity: build frames ``(42, 7)`` in meters and m/s from resampled positions."""

import numpy as np

from whispersign_model.arrays import Floats
from whispersign_model.features.planes import frames_of, planes
from whispersign_model.skeleton import CONFIDENCE, FEATURES, JOINTS, POSITION, VELOCITY


class Differentiator:
    """Computes backward differences of positions on the grid, continuously across calls.

    A joint that was untracked one grid step earlier has velocity zero.

    Args:
        rate: grid steps per second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self.reset()

    def reset(self) -> None:
        """Forget the last frame; the next one starts a new stream."""
        self._positions: Floats = np.zeros((3, JOINTS), dtype=np.float32)
        self._tracked = np.zeros((1, JOINTS), dtype=bool)

    def __call__(self, positions: Floats, confidence: Floats) -> Floats:
        """Return the next frames with velocities, ``(N, 42, 7)`` float32.

        Args:
            positions: ``(N, 42, 3)`` in meters, on consecutive grid steps.
            confidence: ``(N, 42)``, 0 = not tracked.
        """
        found = np.empty((FEATURES, len(positions), JOINTS), dtype=np.float32)
        if not len(positions):
            return frames_of(found)
        places = planes(positions)
        tracked = np.concatenate([self._tracked, confidence > 0])
        moving = (tracked[:-1] & tracked[1:]) * np.float32(self._rate)
        np.multiply(places, tracked[1:].astype(np.float32), out=found[POSITION])
        velocity = found[VELOCITY]
        velocity[:, 0] = places[:, 0] - self._positions
        np.subtract(places[:, 1:], places[:, :-1], out=velocity[:, 1:])
        velocity *= moving
        found[CONFIDENCE] = confidence
        self._positions, self._tracked = places[:, -1].copy(), tracked[-1:]
        return frames_of(found)


def assemble(positions: Floats, confidence: Floats, rate: float = 60.0) -> Floats:
    """Return the frames ``(N, 42, 7)`` of one whole stream on the grid.

    Args:
        positions: ``(N, 42, 3)`` meters.
        confidence: ``(N, 42)``, 0 = not tracked.
        rate: grid steps per second.
    """
    return Differentiator(rate)(positions, confidence)
