# SPDX-License-Identifier: MIT
"""Plausibility checks: treat anatomically impossible hands as untracked."""

import numpy as np

from whispersign_model.arrays import Bools, Doubles, Floats, Ints
from whispersign_model.skeleton import HANDS, JOINTS_PER_HAND, MIDDLE_MCP, WRIST
from whispersign_model.timestamps import NANOSECONDS

COLLAPSED = 1e-4  # meters or image heights; a shorter hand is a placeholder from the sensor

GIANT = 1.0  # meters or image heights; a longer hand is a sensor error

Stamps = Ints


def keep_hands(positions: Floats, confidence: Floats, kept: Bools) -> tuple[Floats, Floats]:
    """Mark all joints of the hands that are not kept as untracked.

    Args:
        positions: ``(n, 42, 3)``.
        confidence: ``(n, 42)``.
        kept: ``(n, 2)``, True for the hands to leave unchanged.
    """
    if kept.all():
        return positions, confidence
    joints = np.repeat(kept, JOINTS_PER_HAND, axis=1)
    return positions * joints[..., None], confidence * joints


def drop_incomplete(positions: Floats, confidence: Floats) -> tuple[Floats, Floats]:
    """Mark hands as untracked that have no wrist or an impossible wrist-to-MCP distance.

    A single giant hand would shrink all later hands through the running hand length.

    Args:
        positions: ``(n, 42, 3)``, all finite.
        confidence: ``(n, 42)``.
    """
    hands = positions.reshape(-1, len(HANDS), JOINTS_PER_HAND, 3)
    tracked = confidence.reshape(-1, len(HANDS), JOINTS_PER_HAND) > 0
    extent = np.abs(hands[:, :, MIDDLE_MCP] - hands[:, :, WRIST]).max(axis=-1)
    impossible = ((extent < COLLAPSED) | (extent > GIANT)) & tracked[:, :, MIDDLE_MCP]
    return keep_hands(positions, confidence, tracked[:, :, WRIST] & ~impossible)


class SpeedGate:
    """Marks a hand as untracked in a frame if its wrist has moved impossibly fast.

    The allowed distance grows with the time since the last accepted frame. After ``max_gap``
    without one, the gate accepts any position, so a hand is lost for at most ``max_gap``. The gate
    is causal.

    Args:
        max_speed: highest speed in sensor units per second; None accepts everything.
        max_gap: longest time in seconds without an accepted frame.
    """

    def __init__(self, max_speed: float | None, max_gap: float) -> None:
        self._max_speed = max_speed
        self._max_gap = round(max_gap * NANOSECONDS)
        self.rejected = 0
        self.reset()

    def reset(self) -> None:
        """Forget the accepted wrists; the counter ``rejected`` continues."""
        self._last: list[tuple[Stamps, Doubles] | None] = [None] * len(HANDS)

    def __call__(
        self, stamps: Stamps, positions: Floats, confidence: Floats
    ) -> tuple[Floats, Floats]:
        """Gate the next ``n`` frames; return their positions and confidence.

        Args:
            stamps: ``(n,)`` nanoseconds, increasing.
            positions: ``(n, 42, 3)``.
            confidence: ``(n, 42)``.
        """
        if self._max_speed is None or not len(stamps):
            return positions, confidence
        kept = np.ones((len(stamps), len(HANDS)), dtype=bool)
        for hand in range(len(HANDS)):
            wrist = hand * JOINTS_PER_HAND + WRIST
            rows = np.flatnonzero(confidence[:, wrist])
            if len(rows):
                accepted = self._accept(hand, stamps[rows], positions[rows, wrist])
                kept[rows, hand] = accepted
                self.rejected += len(rows) - int(accepted.sum())
        return keep_hands(positions, confidence, kept)

    def _accept(self, hand: int, stamps: Stamps, wrists: Floats) -> Bools:
        """Return which tracked frames of one hand are plausible."""
        places = wrists.astype(np.float64)
        last = self._last[hand]
        if last is not None:
            stamps = np.concatenate([last[0], stamps])
            places = np.concatenate([last[1], places])
        accepted = np.ones(len(stamps), dtype=bool)
        if self._reaches(stamps[:-1], places[:-1], stamps[1:], places[1:]).all():
            reference = len(stamps) - 1
        else:
            reference = 0
            for row in range(1, len(stamps)):
                accepted[row] = self._reaches(
                    stamps[reference], places[reference], stamps[row], places[row]
                )
                if accepted[row]:
                    reference = row
        self._last[hand] = stamps[[reference]], places[[reference]]
        return accepted if last is None else accepted[1:]

    def _reaches(self, start: Stamps, origin: Doubles, end: Stamps, place: Doubles) -> Bools:
        """Return whether a wrist can get from ``origin (..., 3)`` to ``place`` in this time."""
        assert self._max_speed is not None
        elapsed = end - start
        distance = np.sqrt(np.square(place - origin).sum(axis=-1))
        allowed = self._max_speed * elapsed / NANOSECONDS
        reaches: Bools = (elapsed > self._max_gap) | (distance <= allowed)
        return reaches
