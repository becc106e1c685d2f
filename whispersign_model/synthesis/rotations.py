"""Unit quaternions ``(w, x, y, z)`` for hand orientations, vectorised over leading axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


def normalise(vectors: ArrayLike) -> Floats:
    """Divide ``(..., n)`` vectors or quaternions by their length; a zero vector stays zero."""
    vectors = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0))


def multiply(first: Floats, second: Floats) -> Floats:
    """Hamilton product ``(..., 4)``: the rotation ``second`` followed by ``first``."""
    w1, x1, y1, z1 = np.moveaxis(first, -1, 0)
    w2, x2, y2, z2 = np.moveaxis(second, -1, 0)
    return np.stack(
        [
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        ],
        axis=-1,
    )


def about(axis: ArrayLike, angle: ArrayLike) -> Floats:
    """Rotation by ``angle`` radians ``(...)`` about one ``axis`` ``(3,)`` -> ``(..., 4)``."""
    half = np.asarray(angle, dtype=np.float64)[..., None] / 2
    return np.concatenate([np.cos(half), np.sin(half) * normalise(axis)], axis=-1)


def to_matrices(quaternions: Floats) -> Floats:
    """Rotation matrices ``(..., 3, 3)`` of unit quaternions ``(..., 4)``."""
    w, x, y, z = np.moveaxis(quaternions, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def from_matrix(matrix: Floats) -> Floats:
    """Unit quaternion ``(4,)`` of one rotation matrix ``(3, 3)`` (Shepperd 1978)."""
    trace = float(np.trace(matrix))
    squares = np.array([trace, *np.diag(matrix)])
    largest = int(squares.argmax())
    quaternion = np.empty(4)
    if largest == 0:
        quaternion[0] = 1 + trace
        quaternion[1] = matrix[2, 1] - matrix[1, 2]
        quaternion[2] = matrix[0, 2] - matrix[2, 0]
        quaternion[3] = matrix[1, 0] - matrix[0, 1]
    else:
        i = largest - 1
        j, k = (i + 1) % 3, (i + 2) % 3
        quaternion[0] = matrix[k, j] - matrix[j, k]
        quaternion[1 + i] = 1 + matrix[i, i] - matrix[j, j] - matrix[k, k]
        quaternion[1 + j] = matrix[j, i] + matrix[i, j]
        quaternion[1 + k] = matrix[k, i] + matrix[i, k]
    return normalise(quaternion)


def slerp(first: Floats, second: Floats, weight: Floats) -> Floats:
    """Interpolate two quaternions ``(4,)`` the short way; weights ``(N,)`` -> ``(N, 4)``."""
    cosine = float(first @ second)
    if cosine < 0:
        second, cosine = -second, -cosine
    angle = float(np.arccos(min(cosine, 1.0)))
    if angle < 1e-6:
        return np.broadcast_to(first, (len(weight), 4)).copy()
    rise = np.sin(weight * angle)[:, None] / np.sin(angle)
    fall = np.sin((1 - weight) * angle)[:, None] / np.sin(angle)
    return normalise(fall * first + rise * second)


def angle_between(first: Floats, second: Floats) -> float:
    """Radians of the rotation that turns ``first`` into ``second``, in [0, pi]."""
    return float(2 * np.arccos(min(abs(float(first @ second)), 1.0)))


def continuous(quaternions: Floats) -> Floats:
    """Choose the sign of every quaternion ``(N, 4)`` so that neighbours lie close together."""
    if len(quaternions) < 2:
        return quaternions
    dots = np.einsum("ij,ij->i", quaternions[1:], quaternions[:-1])
    signs = np.cumprod(np.concatenate([[1.0], np.where(dots < 0, -1.0, 1.0)]))
    return np.asarray(quaternions * signs[:, None])
