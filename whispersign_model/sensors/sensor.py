# SPDX-License-Identifier: MIT
"""What a sensor of hands is: opened, read one observation after the other, closed.

All sensors speak of one frame, that of a Leap Motion on the desk before the signer: metres,
right-handed, x to the signer's right, y up, z towards the signer; the origin is the sensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from whispersign_model.arrays import AnyFloats, Floats
from whispersign_model.recordings.recording import Coordinates
from whispersign_model.skeleton import JOINTS, LEFT, RIGHT

Hand = tuple[AnyFloats, AnyFloats | float]  # (21, 3) and confidence


@dataclass(frozen=True)
class Observation:
    """Both hands at one capture time.

    Attributes:
        stamp: nanoseconds; see ``Sensor.host_clock``.
        positions: ``(42, 3)`` float32, 0 where not tracked.
        confidence: ``(42,)`` float32 in [0, 1], 0 = not tracked.
    """

    stamp: int
    positions: Floats
    confidence: Floats

    @classmethod
    def of_hands(cls, stamp: int, left: Hand | None, right: Hand | None) -> Observation:
        """Put hands, each ``(21, 3)`` with a confidence or ``(21,)`` of them, in their slots.

        A hand that is not wholly finite is left out: a sensor that does not know where a joint is
        does not know the hand.
        """
        positions = np.zeros((JOINTS, 3), np.float32)
        confidence = np.zeros(JOINTS, np.float32)
        for slot, hand in ((LEFT, left), (RIGHT, right)):
            if hand is not None and np.isfinite(hand[0]).all() and np.isfinite(hand[1]).all():
                positions[slot] = hand[0]
                confidence[slot] = np.clip(hand[1], 0, 1)
        return cls(stamp, positions, confidence)

    @property
    def hands_tracked(self) -> int:
        """How many hands are there: 0, 1 or 2."""
        return int(self.confidence[LEFT].any()) + int(self.confidence[RIGHT].any())


class SensorEndError(Exception):
    """There is nothing more to read and never will be: the end of a file."""


class Sensor(Protocol):
    """A source of observations, used by one thread at a time.

    Attributes:
        source: what recordings and messages name it, such as "leap".
        coordinates: what its positions are measured in.
        host_clock: stamps are on ``time.monotonic_ns()``; otherwise they are on the clock that
            whoever feeds the sensor chose, and go out as they are.
    """

    source: str
    coordinates: Coordinates
    host_clock: bool

    def open(self) -> None:
        """Connect.

        Raises:
            SensorError: it is not there now. Opening is tried again later.
        """

    def read(self, timeout: float) -> Observation | None:
        """Wait for the next observation; None when none came within ``timeout`` seconds.

        Raises:
            SensorError: it is gone. It is closed, and opened again later.
            SensorEndError: nothing will ever come again.
        """

    def close(self) -> None:
        """Free what ``open`` took; does nothing when nothing is open."""

    def drops(self) -> Mapping[str, int]:
        """What was lost since the sensor was made, by cause."""

    def values(self) -> Mapping[str, object]:
        """What diagnostics should show, such as the device's serial number."""
