# SPDX-License-Identifier: MIT
"""Postures: hand shapes that a sign holds still, and the movement that comes before a sign."""

from collections.abc import Iterable

import numpy as np

from whispersign_model.arrays import Bools
from whispersign_model.skeleton import JOINTS_PER_HAND, LEFT, RIGHT, WRIST
from whispersign_model.training_data.variations import Array, hand_length
from whispersign_model.training_data.windows import Span

STILL = 0.25  # hand lengths that a hand deviates, at most, while it holds a posture
LEAST_MOVEMENT = 0.5  # hand lengths between where a hand stops and the middle of the sign
SAME = 0.2  # hand lengths between two postures, below which they may be the same
HANDS = (LEFT, RIGHT)


def begun_frames(
    positions: Array, confidence: Array, share: float, span: Span | None = None
) -> int:
    """Return the number of leading frames that only begin a take's first sign; 0 if there are none.

    A posture that is held is a sign from its first frame on, wherever the hand is. A take has such
    frames only if a hand's shape differs from its shape in the middle of the sign or, for a moving
    hand, if its place does.

    Args:
        positions: ``(T, 42, 3)`` in meters, 0 where not tracked.
        confidence: ``(T, 42)``.
        share: share of the sign that is begun.
        span: first frame of the sign, and the frame after its last; None for the whole take.
    """
    first, end = span or (0, len(positions))
    count = first + max(1, round(share * (end - first)))
    middle = _middle(first, end)
    size = hand_length(positions, confidence) or 1.0
    for hand in HANDS:
        seen = _seen(confidence, hand)
        if not seen[count - 1] or not seen[middle].any() or middle.start < count:
            continue
        places, stopped = positions[middle, hand][seen[middle]], positions[count - 1, hand]
        if _is_still(places, size):
            places, stopped = _about_wrist(places), _about_wrist(stopped)
        if np.median(_distances(places, stopped)) >= LEAST_MOVEMENT * size:
            return count
    return 0


class Postures:
    """The hand shapes that signs hold still. A hand that stops in one may already make that sign.

    Args:
        takes: positions and confidence of each take, as in :func:`begun_frames`, and the span of
            each of its signs.
    """

    def __init__(self, takes: Iterable[tuple[Array, Array, Iterable[Span]]]) -> None:
        held = [
            posture
            for positions, confidence, spans in takes
            for span in spans
            if (posture := _held(positions, confidence, span)) is not None
        ]
        self._shapes = np.array([shape for shape, _ in held], np.float32).reshape(
            -1, len(HANDS), JOINTS_PER_HAND, 3
        )
        self._seen = np.array([seen for _, seen in held], bool).reshape(-1, len(HANDS))

    def include(self, positions: Array, confidence: Array, frame: int) -> bool:
        """Return whether the hands of a take have one of these shapes in a frame."""
        size = hand_length(positions, confidence) or 1.0
        seen = np.array([_seen(confidence, hand)[frame] for hand in HANDS])
        shapes = np.stack([_about_wrist(positions[frame, hand]) / size for hand in HANDS])
        alike = (self._seen == seen).all(axis=1)
        distances = _distances(self._shapes[alike], shapes)[:, seen]
        return bool(seen.any() and (distances < SAME).all(axis=1).any())


def _held(positions: Array, confidence: Array, span: Span) -> tuple[Array, Bools] | None:
    """Return the shape of each hand in the middle of a sign, and whether it is tracked there.

    Lengths are in hand lengths. The result is None if a hand moves.
    """
    middle = _middle(*span)
    size = hand_length(positions, confidence) or 1.0
    shapes = np.zeros((len(HANDS), JOINTS_PER_HAND, 3), np.float32)
    tracked = np.zeros(len(HANDS), bool)
    for number, hand in enumerate(HANDS):
        seen = _seen(confidence, hand)[middle]
        if not seen.any():
            continue
        places = positions[middle, hand][seen]
        if not _is_still(places, size):
            return None
        tracked[number] = True
        shapes[number] = np.median(_about_wrist(places), axis=0) / size
    return (shapes, tracked) if tracked.any() else None


def _middle(first: int, end: int) -> slice:
    """Return the middle third of a sign."""
    return slice(first + (end - first) // 3, first + 2 * (end - first) // 3)


def _seen(confidence: Array, hand: slice) -> Bools:
    """Return for each frame whether all joints of a hand are tracked."""
    seen: Bools = confidence[:, hand].min(axis=1) > 0
    return seen


def _is_still(places: Array, size: float) -> bool:
    """Return whether a hand ``(T, 21, 3)`` keeps its place and its shape."""
    return bool(np.median(_distances(places, np.median(places, axis=0))) < STILL * size)


def _about_wrist(places: Array) -> Array:
    """Return the joints ``(..., 21, 3)`` of a hand relative to its wrist."""
    return places - places[..., WRIST : WRIST + 1, :]


def _distances(places: Array, other: Array) -> Array:
    """Return the mean distance of the joints ``(..., 21, 3)`` of a hand from those of another."""
    distances: Array = np.sqrt(np.square(places - other).sum(axis=-1)).mean(axis=-1)
    return distances
