# SPDX-License-Identifier: MIT
"""Planes: frames stored feature by feature, the fastest layout for whole-clip arithmetic.

NumPy works along the innermost axis, and three coordinates are too short for it. Clips are
therefore computed as ``(F, T, 42)``; everywhere else their shape is ``(T, 42, F)``.
"""

import numpy as np

from whispersign_model.arrays import Floats


def planes(frames: Floats) -> Floats:
    """Return ``(T, 42, F)`` as contiguous ``(F, T, 42)``; copies only if the layout differs."""
    return np.ascontiguousarray(frames.transpose(2, 0, 1))


def frames_of(planes: Floats) -> Floats:
    """Return ``(F, T, 42)`` as a ``(T, 42, F)`` view."""
    return planes.transpose(1, 2, 0)
