# SPDX-License-Identifier: MIT
"""Planar layout: store frames feature by feature for fast arithmetic on whole clips.

NumPy loops over the innermost axis, and an axis of three coordinates makes that slow. Computations
on clips therefore use ``(F, T, 42)``; the usual shape elsewhere is ``(T, 42, F)``.
"""

import numpy as np

from whispersign_model.arrays import Floats


def planes(frames: Floats) -> Floats:
    """Return ``(T, 42, F)`` as contiguous ``(F, T, 42)``; copy only if the layout differs."""
    return np.ascontiguousarray(frames.transpose(2, 0, 1))


def frames_of(planes: Floats) -> Floats:
    """Return ``(F, T, 42)`` as a view of shape ``(T, 42, F)``."""
    return planes.transpose(1, 2, 0)
