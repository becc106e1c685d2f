"""Gaps: what is put in the place of frames that were lost on their way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whispersign_model.skeleton import CONFIDENCE
from whispersign_model.timestamps import NANOSECONDS

SHORT = 0.1  # seconds; over a longer gap nothing is known of the hands


def interpolate_gap(
    before: NDArray[np.float32], after: NDArray[np.float32], count: int, period: float
) -> NDArray[np.float32]:
    """Return ``(count, 42, 7)`` frames evenly between two frames ``(42, 7)``, ``period`` apart.

    Joints tracked on both sides of a short gap go straight from one to the other; all else is not
    tracked.

    Args:
        before: the last frame before the gap, normalised features.
        after: the first one behind it.
        count: frames that are missing.
        period: nanoseconds.
    """
    if (count + 1) * period > SHORT * NANOSECONDS:
        return np.zeros((count, *before.shape), np.float32)
    shares = np.linspace(0, 1, count + 2, dtype=np.float32)[1:-1, None, None]
    tracked = np.minimum(before[:, CONFIDENCE], after[:, CONFIDENCE])[:, None] > 0
    filled: NDArray[np.float32] = (before + shares * (after - before)) * tracked
    return filled
