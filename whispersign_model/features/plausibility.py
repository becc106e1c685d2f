# SPDX-License-Identifier: MIT
"""Plausibility: treat anatomically impossible hands as untracked."""

import numpy as np

from whispersign_model.arrays import Bools, Doubles, Floats, Ints
from whispersign_model.skeleton import HANDS, JOINTS_PER_HAND, MIDDLE_MCP, WRIST
from whispersign_model.timestamps import NANOSECONDS

COLLAPSED = 1e-4  # meters or image heights; a shorter hand is a sensor's filler

GIANT = 1.0  # meters or image heights; a longer hand is a sensor's error

Stamps = Ints


def keep_hands(positions: Floats, confidence: Floats, kept: Bools) -> tuple[Floats, Floats]:
    """Return positions and confidence, with all joints of the hands not kept untracked.

    Args:
        positions: ``(n, 42, 3)``.
        confidence: ``(n, 42)``.
        kept: ``(n, 2)``, True for hands that stay unchanged.
    """
    if kept.all():
        return positions, confidence
    joints = np.repeat(kept, JOINTS_PER_HAND, axis=1)
    return positions * joints[..., None], confidence * joints


def drop_incomplete(positions: Floats, confidence: Floats) -> tuple[Floats, Floats]:
    """Untrack hands without a wrist, and those with an impossible wrist-to-MCP distance.

    One giant hand would shrink all later ones, because the running hand length remembers it.

    Args:
        positions: ``(n, 42, 3)`` finite.
        confidence: ``(n, 42)``.
    """
    hands = positions.reshape(-1, len(HANDS), JOINTS_PER_HAND, 3)
    tracked = confidence.reshape(-1, len(HANDS), JOINTS_PER_HAND) > 0
    extent = np.abs(hands[:, :, MIDDLE_MCP] - hands[:, :, WRIST]).max(axis=-1)
    impossible = ((extent < COLLAPSED) | (extent > GIANT)) & tracked[:, :, MIDDLE_MCP]
    return keep_hands(positions, confidence, tracked[:, :, WRIST] & ~impossible)


class SpeedGate:
    """Untracks a hand-frame whose wrist moved faster than possible since the last accepted one.

    Causal and self-healing: the allowed distance grows with time. After ``max_gap`` without an
    accepted frame any position is accepted, so a hand is lost for at most ``max_gap``.

    Args:
        max_speed: sensor units per second; None accepts everything.
        max_gap: seconds.
    """

    def __init__(self, max_speed: float | None, max_gap: float) -> None:
        self._max_speed = max_speed
        self._max_gap = round(max_gap * NANOSECONDS)
        self.rejected = 0
        self.reset()

    def reset(self) -> None:
        """Forget the accepted wrists; the counter ``rejected`` (hand-frames) continues."""
        self._last: list[tuple[Stamps, Doubles] | None] = [None] * len(HANDS)

    def __call__(
        self, stamps: Stamps, positions: Floats, confidence: Floats
    ) -> tuple[Floats, Floats]:
        """Return positions and confidence of the next ``n`` frames, in increasing time order.

        Args:
            stamps: ``(n,)`` nanoseconds.
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
        """Return which of one hand's tracked frames are plausible, in time order."""
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
        """Return whether a wrist can move from ``origin (..., 3)`` to ``place`` in that time."""
        assert self._max_speed is not None
        elapsed = end - start
        distance = np.sqrt(np.square(place - origin).sum(axis=-1))
        allowed = self._max_speed * elapsed / NANOSECONDS
        reaches: Bools = (elapsed > self._max_gap) | (distance <= allowed)
        return reaches
