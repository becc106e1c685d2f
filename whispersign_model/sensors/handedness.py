# SPDX-License-Identifier: MIT
"""Which hand is the left and which the right, over time and against a detector that errs.

The detector names the side of each hand in each picture by itself: it calls both hands left, or a
hand seen from the edge now left, now right. But a hand stays where it was and stays the same hand.
So hands are followed from picture to picture, each collects the detector's votes for a while, and
two hands in one picture are never of the same side. For that to help, one hand must never be taken
for two: a detector that loses a quick hand finds it anew beside where it thought it was, and for a
moment reports both, with the same name.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from whispersign_model.arrays import Doubles
from whispersign_model.sensors.detector import Detection
from whispersign_model.timestamps import NANOSECONDS

LOST = 0.3  # seconds after which a hand that reappears has to be recognised anew
REACH = 2.0  # extents of the hand, plus ...
SPEED = 25.0  # ... extents a second that a hand may move and still be the same
SAME = 0.6  # extents: two detections nearer than this, joint by joint, are of the same hand
BESIDE = 1.5  # extents: the same, of two that have one name, while only one hand is followed
VOTING = 1.5  # seconds over which votes are averaged
DISAGREES = 1.0  # extents that a continuation costs when the detector's name speaks against it
STRONGEST_VOTE = 3.0  # log odds of one picture
PLACE_VOTE = 1.5  # log odds, for each of two hands that are not crossed: most often they are not
APART = 3.0  # extents from which two hands count as wholly apart
STUBBORNNESS = 0.6  # log odds by which the votes must contradict before a side is changed


@dataclass(eq=False)
class _Followed:
    """A hand that is followed.

    Attributes:
        centre: pixels.
        stamp: nanoseconds, when it was last seen.
        votes: running mean of the log odds that it is the right hand.
        right: what it is taken for.
        seen: how many times.
    """

    centre: Doubles
    stamp: int
    votes: float
    right: bool
    seen: int = 1

    def see(self, detection: Detection, stamp: int, vote: float) -> None:
        self.seen += 1
        lasting = 1 - math.exp(-max(stamp - self.stamp, 0) / NANOSECONDS / VOTING)
        share = max(lasting, 1 / self.seen)  # the first few votes count alike
        self.votes += share * (vote - self.votes)
        self.centre, self.stamp = detection.pixels.mean(axis=0), stamp


class HandednessTracker:
    """Assigns detections to the left and the right slot."""

    def __init__(self) -> None:
        self._hands: list[_Followed] = []

    def assign(
        self, stamp: int, detections: Sequence[Detection]
    ) -> tuple[Detection | None, Detection | None]:
        """Return the left and the right hand of a picture captured at ``stamp`` nanoseconds."""
        self._hands = [
            hand for hand in self._hands if 0 <= stamp - hand.stamp <= LOST * NANOSECONDS
        ]
        found = _without_repeats(detections, alone=len(self._hands) < 2)[:2]
        votes = [_vote(detection) + _place(detection, found) for detection in found]
        followed = [
            _follow(detection, hand, stamp, vote)
            for detection, hand, vote in zip(found, self._match(found, stamp), votes)
        ]
        seen = list(zip(followed, found))
        # A hand not seen now keeps its slot until it is lost, unless both slots are needed.
        present = [hand for hand, _ in seen]
        self._hands = (present + [hand for hand in self._hands if hand not in present])[:2]
        self._decide()
        left = next((detection for hand, detection in seen if not hand.right), None)
        right = next((detection for hand, detection in seen if hand.right), None)
        return left, right

    def _match(self, found: Sequence[Detection], stamp: int) -> list[_Followed | None]:
        """For each detection, the hand that it continues, or None; the nearest overall."""
        hands: list[_Followed | None] = [*self._hands, *([None] * len(found))]
        return list(
            min(
                permutations(hands, len(found)),
                key=lambda chosen: sum(_cost(d, hand, stamp) for d, hand in zip(found, chosen)),
                default=(),
            )
        )

    def _decide(self) -> None:
        """Give each hand the side that the votes speak for; two hands have different sides."""
        if len(self._hands) == 1:
            hand = self._hands[0]
            if abs(hand.votes) > STUBBORNNESS:
                hand.right = hand.votes > 0
        elif len(self._hands) == 2:
            first, second = self._hands
            margin = first.votes - second.votes
            if first.right == second.right or abs(margin) > STUBBORNNESS:
                first.right, second.right = margin > 0, margin <= 0


def _follow(detection: Detection, hand: _Followed | None, stamp: int, vote: float) -> _Followed:
    if hand is None:
        return _Followed(detection.pixels.mean(axis=0), stamp, vote, vote > 0)
    hand.see(detection, stamp, vote)
    return hand


def _vote(detection: Detection) -> float:
    """Log odds, within limits, that this is a right hand."""
    right = min(max(detection.right, 1e-6), 1 - 1e-6)
    return max(-STRONGEST_VOTE, min(STRONGEST_VOTE, math.log(right / (1 - right))))


def _place(detection: Detection, found: Sequence[Detection]) -> float:
    """Log odds that this is a right hand by where the other one is: the right is on our left."""
    for other in found:
        if other is not detection:
            away = float((other.pixels - detection.pixels).mean(axis=0)[0])
            extent = max(detection.extent, other.extent)
            return PLACE_VOTE * max(-1.0, min(1.0, away / (APART * extent)))
    return 0.0


def _cost(detection: Detection, hand: _Followed | None, stamp: int) -> float:
    """How badly a detection continues a hand; a new hand costs as much as the farthest old one.

    Where two hands touch, one is seen for a while: its name tells which it is.
    """
    if hand is None:
        return REACH + SPEED * LOST + DISAGREES
    reach = REACH + SPEED * (stamp - hand.stamp) / NANOSECONDS
    distance = float(np.linalg.norm(detection.pixels.mean(axis=0) - hand.centre))
    if distance >= reach * detection.extent:
        return math.inf
    disagreement = abs(detection.right - hand.right)
    return distance / detection.extent + DISAGREES * disagreement


def _without_repeats(detections: Sequence[Detection], alone: bool) -> list[Detection]:
    """Leave out detections of a hand that was detected already; the surest come first.

    Args:
        detections: of one picture.
        alone: at most one hand is followed, so that a second one beside it would be new.
    """
    kept: list[Detection] = []
    for detection in sorted(detections, key=lambda d: d.score, reverse=True):
        if not any(_repeats(detection, other, alone) for other in kept):
            kept.append(detection)
    return kept


def _repeats(detection: Detection, other: Detection, alone: bool) -> bool:
    """Whether two detections are of one hand."""
    distance = float(np.linalg.norm(detection.pixels - other.pixels, axis=1).mean())
    namesakes = (detection.right > 0.5) == (other.right > 0.5)
    limit = BESIDE if alone and namesakes else SAME
    return distance <= limit * max(detection.extent, other.extent)
