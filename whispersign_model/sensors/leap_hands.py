# SPDX-License-Identifier: MIT
"""What Leap Motion calls a hand, as joints: their order, their unit and their axes.

A finger has four bones, each with two ends. Its joints in MediaPipe's order are the far ends:
those of metacarpal, proximal, intermediate and distal. The thumb has the same four bones in the
interface, but its metacarpal has no length: its far end is the thumb's root, MediaPipe's CMC.
"""

from dataclasses import dataclass

import numpy as np

from whispersign_model.arrays import Doubles
from whispersign_model.sensors.sensor import Observation

METRES = 0.001  # Leap's unit
SEEN_FOR = 0.25  # seconds in view after which a hand of unknown confidence is trusted
LEAST_TRUST = 0.2
MODES = ("desktop", "hmd", "screentop")
# Device axes -> ours, by where the device is. On the desk both are the same. On the forehead it
# looks where the wearer looks, its x to the left and its z down. Above a screen it hangs upside
# down, its z still towards the person.
AXES = {
    "desktop": np.eye(3),
    "hmd": np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, -1.0, 0.0]]),
    "screentop": np.diag([-1.0, -1.0, 1.0]),
}


@dataclass(frozen=True)
class LeapHand:
    """One hand as a transport read it.

    Attributes:
        right: its type.
        wrist: ``(3,)`` millimetres, device axes.
        fingers: ``(5, 4, 3)`` millimetres: thumb to little finger, far ends of the four bones.
        confidence: in [0, 1], or None where the service knows none.
        seen_for: seconds in view.
    """

    right: bool
    wrist: Doubles
    fingers: Doubles
    confidence: float | None
    seen_for: float

    @property
    def trust(self) -> float:
        """Confidence in [0, 1]; where there is none, a hand is trusted more while it is in view."""
        if self.confidence is not None and self.confidence > 0:
            return min(1.0, self.confidence)
        share = min(1.0, max(0.0, self.seen_for) / SEEN_FOR)
        return LEAST_TRUST + (1 - LEAST_TRUST) * share


def observe(stamp: int, hands: list[LeapHand], mode: str) -> Observation:
    """Put hands in their slots: metres, our axes. Of two of one side the more trusted counts."""
    slots = {}
    for hand in sorted(hands, key=lambda hand: hand.trust):
        joints = np.concatenate([hand.wrist[None], hand.fingers.reshape(-1, 3)])
        slots[hand.right] = joints @ AXES[mode].T * METRES, hand.trust
    return Observation.of_hands(stamp, slots.get(False), slots.get(True))
