"""Velocity: frames ``(42, 7)`` in metres and metres per second from resampled positions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whispersign_model.skeleton import CONFIDENCE, FEATURES, JOINTS, POSITION, VELOCITY

Floats = NDArray[np.float32]


class Differentiator:
    """Backward differences of positions on the grid, call after call.

    A joint that was not tracked one grid step earlier has velocity zero: a hand's first frame.

    Args:
        rate: grid steps per second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self.reset()

    def reset(self) -> None:
        """Forget the last frame: the next one is a stream's first."""
        self._positions: Floats = np.zeros((1, JOINTS, 3), dtype=np.float32)
        self._tracked = np.zeros((1, JOINTS), dtype=bool)

    def __call__(self, positions: Floats, confidence: Floats) -> Floats:
        """Return frames ``(N, 42, 7)`` float32.

        Args:
            positions: ``(N, 42, 3)`` metres on consecutive grid steps.
            confidence: ``(N, 42)``, 0 = not tracked.
        """
        frames = np.zeros((len(positions), JOINTS, FEATURES), dtype=np.float32)
        if not len(frames):
            return frames
        tracked = np.concatenate([self._tracked, confidence > 0])
        before = np.concatenate([self._positions, positions[:-1]])
        moving = tracked[:-1] & tracked[1:]
        frames[..., POSITION] = positions * tracked[1:, :, None]
        frames[..., VELOCITY] = (positions - before) * (moving[..., None] * np.float32(self._rate))
        frames[..., CONFIDENCE] = confidence
        self._positions, self._tracked = positions[-1:], tracked[-1:]
        return frames


def assemble(positions: Floats, confidence: Floats, rate: float = 60.0) -> Floats:
    """Return the frames ``(N, 42, 7)`` of one whole stream on the grid.

    Args:
        positions: ``(N, 42, 3)`` metres.
        confidence: ``(N, 42)``, 0 = not tracked.
        rate: grid steps per second.
    """
    return Differentiator(rate)(positions, confidence)
