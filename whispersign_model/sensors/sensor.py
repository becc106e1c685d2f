# SPDX-License-Identifier: MIT
"""The interface of hand sensors and their observations.

All sensors use the frame of a Leap Motion that lies on the desk in front of the signer. It is
right-handed and in meters, with x to the signer's right, y up, z toward the signer, and the sensor
at the origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from whispersign_model.arrays import AnyFloats, Floats
from whispersign_model.errors import SensorError
from whispersign_model.recordings.recording import Coordinates
from whispersign_model.skeleton import JOINTS, LEFT, RIGHT

Hand = tuple[AnyFloats, AnyFloats | float]  # positions (21, 3) and confidence


@dataclass(frozen=True)
class Observation:
    """Both hands at one capture time.

    Attributes:
        stamp: capture time in nanoseconds; see ``Sensor.host_clock``.
        positions: ``(42, 3)`` float32; 0 where not tracked.
        confidence: ``(42,)`` float32 in [0, 1]; 0 means not tracked.
    """

    stamp: int
    positions: Floats
    confidence: Floats

    @classmethod
    def of_hands(cls, stamp: int, left: Hand | None, right: Hand | None) -> Observation:
        """Build an observation from hands ``(21, 3)``, each with a confidence, scalar or ``(21,)``.

        A hand with a non-finite value is left out, because its other joints are unreliable, too.
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
        """The number of tracked hands: 0, 1 or 2."""
        return int(self.confidence[LEFT].any()) + int(self.confidence[RIGHT].any())


class SensorEndError(Exception):
    """The sensor has ended for good, for example at the end of a file."""


class SensorSilentError(SensorError):
    """An open sensor has sent nothing for some time."""


class Sensor(Protocol):
    """A source of observations, used by one thread at a time.

    Attributes:
        source: name of the sensor in recordings and messages, such as "leap".
        coordinates: coordinates of the positions.
        host_clock: whether stamps are on the clock of ``time.monotonic_ns()``. Otherwise, they are
            on the clock of the data source and are published unchanged.
    """

    source: str
    coordinates: Coordinates
    host_clock: bool

    def open(self) -> None:
        """Connect to the sensor.

        Raises:
            SensorError: the sensor is missing. The reader tries again later.
        """

    def read(self, timeout: float) -> Observation | None:
        """Return the next observation, or None after ``timeout`` seconds.

        Raises:
            SensorError: the sensor was disconnected. The reader closes and reopens it.
            SensorEndError: there will be no more observations.
        """

    def close(self) -> None:
        """Release what ``open`` acquired; do nothing if the sensor is not open."""

    def drops(self) -> Mapping[str, int]:
        """Return the number of losses since the sensor was created, by cause."""

    def values(self) -> Mapping[str, object]:
        """Return values for diagnostics, such as the device's serial number."""
