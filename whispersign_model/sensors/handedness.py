# SPDX-License-Identifier: MIT
"""Handedness: decide which hand is left and which is right despite detector errors.

The detector classifies each hand in each picture separately. It may label both hands as left, or
label a hand seen edge-on as left in one picture and right in the next. A real hand, however, moves
continuously and keeps its side. The tracker therefore follows hands from picture to picture,
averages the detector's votes for each hand, and never assigns the same side to two hands in a
picture. It also removes duplicate detections: when the detector loses a fast hand and finds it
again beside the old position, it briefly reports both, with the same side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from whispersign_model.arrays import Doubles
from whispersign_model.sensors.detector import Detection
from whispersign_model.timestamps import NANOSECONDS

LOST = 0.3  # seconds after which a hand that reappears counts as new
REACH = 2.0  # distance in extents that a hand may move and still be the same, plus SPEED
SPEED = 25.0  # extents per second, added to REACH
SAME = 0.6  # mean joint distance in extents below which two detections show the same hand
BESIDE = 1.5  # the same for two detections of one side while only one hand is tracked
VOTING = 1.5  # seconds over which votes are averaged
DISAGREES = 1.0  # cost in extents of a match that contradicts the detected side
STRONGEST_VOTE = 3.0  # log odds; limit for the vote from one picture
PLACE_VOTE = 1.5  # log odds; vote from the order of two hands, which are rarely crossed
APART = 3.0  # distance in extents between hands from which PLACE_VOTE counts fully
STUBBORNNESS = 0.6  # log odds by which the votes must contradict a side to change it


@dataclass(eq=False)
class _Followed:
    """A tracked hand.

    Attributes:
        centre: center of the hand in pixels.
        stamp: time of the last detection in nanoseconds.
        votes: running mean of the log odds that this is the right hand.
        right: whether the hand counts as the right one.
        seen: number of detections so far.
    """

    centre: Doubles
    stamp: int
    votes: float
    right: bool
    seen: int = 1

    def see(self, detection: Detection, stamp: int, vote: float) -> None:
        self.seen += 1
        lasting = 1 - math.exp(-max(stamp - self.stamp, 0) / NANOSECONDS / VOTING)
        share = max(lasting, 1 / self.seen)  # the first few votes have equal weights
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
        # An undetected hand keeps its slot until it expires, unless new hands need both slots.
        present = [hand for hand, _ in seen]
        self._hands = (present + [hand for hand in self._hands if hand not in present])[:2]
        self._decide()
        left = next((detection for hand, detection in seen if not hand.right), None)
        right = next((detection for hand, detection in seen if hand.right), None)
        return left, right

    def _match(self, found: Sequence[Detection], stamp: int) -> list[_Followed | None]:
        """Match each detection to a tracked hand or to None, at the lowest total cost."""
        hands: list[_Followed | None] = [*self._hands, *([None] * len(found))]
        return list(
            min(
                permutations(hands, len(found)),
                key=lambda chosen: sum(_cost(d, hand, stamp) for d, hand in zip(found, chosen)),
                default=(),
            )
        )

    def _decide(self) -> None:
        """Assign each hand the side with the most votes; two hands get different sides."""
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
    """Return the detector's log odds that this is a right hand, within limits."""
    right = min(max(detection.right, 1e-6), 1 - 1e-6)
    return max(-STRONGEST_VOTE, min(STRONGEST_VOTE, math.log(right / (1 - right))))


def _place(detection: Detection, found: Sequence[Detection]) -> float:
    """Return log odds from the order of the hands; the right hand is usually on the left."""
    for other in found:
        if other is not detection:
            away = float((other.pixels - detection.pixels).mean(axis=0)[0])
            extent = max(detection.extent, other.extent)
            return PLACE_VOTE * max(-1.0, min(1.0, away / (APART * extent)))
    return 0.0


def _cost(detection: Detection, hand: _Followed | None, stamp: int) -> float:
    """Return the cost of a match; a new hand costs as much as the farthest tracked hand.

    While two hands touch, the detector sees only one of them. The side in the cost tells which.
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
    """Return one detection per hand, the most confident first.

    Args:
        detections: the detections in one picture.
        alone: whether at most one hand is tracked, in which case a second one would be new.
    """
    kept: list[Detection] = []
    for detection in sorted(detections, key=lambda d: d.score, reverse=True):
        if not any(_repeats(detection, other, alone) for other in kept):
            kept.append(detection)
    return kept


def _repeats(detection: Detection, other: Detection, alone: bool) -> bool:
    """Return whether two detections show the same hand."""
    distance = float(np.linalg.norm(detection.pixels - other.pixels, axis=1).mean())
    namesakes = (detection.right > 0.5) == (other.right > 0.5)
    limit = BESIDE if alone and namesakes else SAME
    return distance <= limit * max(detection.extent, other.extent)
