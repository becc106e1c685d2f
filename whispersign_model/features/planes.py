# SPDX-License-Identifier: MIT
"""Planes: frames kept feature by feature in memory, which whole-clip arithmetic is fastest on.

NumPy works through the innermost axis at a time, and three coordinates are too short a stretch of
it. So clips are computed as ``(F, T, 42)``; their shape stays ``(T, 42, F)`` for everybody else.
"""

import numpy as np

from whispersign_model.arrays import Floats


def planes(frames: Floats) -> Floats:
    """Return ``(T, 42, F)`` as a contiguous ``(F, T, 42)``: a copy, unless it lies so already."""
    return np.ascontiguousarray(frames.transpose(2, 0, 1))


def frames_of(planes: Floats) -> Floats:
    """Return ``(F, T, 42)`` as ``(T, 42, F)``, without a copy."""
    return planes.transpose(1, 2, 0)
