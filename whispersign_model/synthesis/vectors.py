# SPDX-License-Identifier: MIT
"""Operations on arrays of vectors."""

import numpy as np
from numpy.typing import ArrayLike

from whispersign_model.arrays import Doubles


def normalise(vectors: ArrayLike) -> Doubles:
    """Divide ``(..., n)`` vectors by their length; a zero vector stays zero."""
    vectors = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0))
