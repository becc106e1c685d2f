# SPDX-License-Identifier: MIT
"""Convert Leap Motion hands to the hand skeleton: joint order, units and axes.

A Leap finger has four bones: metacarpal, proximal, intermediate and distal. Their far ends are the
finger's joints in MediaPipe's order. The thumb's metacarpal has zero length; its far end is
MediaPipe's CMC joint.
"""

from dataclasses import dataclass

import numpy as np

from whispersign_model.arrays import Doubles
from whispersign_model.sensors.sensor import Observation

METRES = 0.001  # meters per millimeter, the unit of the Leap Motion
SEEN_FOR = 0.25  # seconds in view after which a hand without a confidence is fully trusted
LEAST_TRUST = 0.2
MODES = ("desktop", "hmd", "screentop")
# Device axes to the sensor frame, by tracking mode. On the desk, both agree. On the forehead,
# the device looks forward, with x to the left and z down. Above a screen, it is upside down with
# z toward the person.
AXES = {
    "desktop": np.eye(3),
    "hmd": np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, -1.0, 0.0]]),
    "screentop": np.diag([-1.0, -1.0, 1.0]),
}


@dataclass(frozen=True)
class LeapHand:
    """One hand as the Leap service reports it.

    Attributes:
        right: whether it is a right hand.
        wrist: ``(3,)`` in millimeters, in device axes.
        fingers: ``(5, 4, 3)`` in millimeters: from thumb to little finger, the far ends of the four
            bones.
        confidence: confidence in [0, 1], or None if the service reports none.
        seen_for: seconds for which the hand has been in view.
    """

    right: bool
    wrist: Doubles
    fingers: Doubles
    confidence: float | None
    seen_for: float

    @property
    def trust(self) -> float:
        """The confidence in [0, 1]; if unknown, a value that grows with the time in view."""
        if self.confidence is not None and self.confidence > 0:
            return min(1.0, self.confidence)
        share = min(1.0, max(0.0, self.seen_for) / SEEN_FOR)
        return LEAST_TRUST + (1 - LEAST_TRUST) * share


def observe(stamp: int, hands: list[LeapHand], mode: str) -> Observation:
    """Convert hands to the sensor frame; of two hands on one side, keep the more trusted."""
    slots = {}
    for hand in sorted(hands, key=lambda hand: hand.trust):
        joints = np.concatenate([hand.wrist[None], hand.fingers.reshape(-1, 3)])
        slots[hand.right] = joints @ AXES[mode].T * METRES, hand.trust
    return Observation.of_hands(stamp, slots.get(False), slots.get(True))
