"""A robot on two wheels, as a point with a heading: exact arcs between its commands."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from itertools import pairwise

STRAIGHT = 1e-9  # rad: below it an arc is a straight line
ARC_STEP = math.radians(10)  # of an arc between two points of the way


@dataclass(frozen=True)
class Pose:
    """Where the robot is.

    Attributes:
        x, y: metres; x is straight ahead at the beginning, y to the left.
        heading: radians, anticlockwise, not wrapped.
    """

    x: float = 0.0
    y: float = 0.0
    heading: float = 0.0

    def moved(self, distance: float, turn: float) -> Pose:
        """Return the pose after an arc of this length and this change of heading."""
        half = turn / 2
        chord = distance if abs(half) < STRAIGHT else distance * math.sin(half) / half
        along = self.heading + half
        return Pose(
            self.x + chord * math.cos(along), self.y + chord * math.sin(along), self.heading + turn
        )


@dataclass(frozen=True)
class Point:
    """A point of the way.

    Attributes:
        time: seconds.
        pose: there.
        distance: driven from the point before to here, metres; below 0 backwards.
    """

    time: float
    pose: Pose
    distance: float = 0.0


class Unicycle:
    """Integrates the speeds it is given, and stops by itself when it is given none.

    Attributes:
        way: its points, the newest ones.

    Args:
        timeout: seconds after a command at which the robot stops by itself.
        now: seconds, at the beginning.
        kept: points of the way, at most.
    """

    def __init__(self, timeout: float, now: float, kept: int = 20_000) -> None:
        self._timeout = timeout
        self._speed = self._rate = 0.0
        self._until = now
        self.way = deque([Point(now, Pose())], kept)

    @property
    def pose(self) -> Pose:
        """Where it was when time was last told."""
        return self.way[-1].pose

    def command(self, speed: float, rate: float, now: float) -> None:
        """Take a speed (m/s) and a rate of turning (rad/s, anticlockwise)."""
        self.advance(now)
        self._speed, self._rate = speed, rate
        self._until = now + self._timeout

    def advance(self, now: float) -> Pose:
        """Move on to a time, and return the pose there."""
        for moment in (min(now, self._until), now):
            last = self.way[-1]
            seconds = moment - last.time
            if seconds > 0:
                self._go(seconds if moment <= self._until else 0.0, moment)
        return self.pose

    @property
    def stopped(self) -> bool:
        """The last command was to stop."""
        return not self._speed and not self._rate

    def between(self, begin: float, end: float) -> tuple[float, float]:
        """Return the metres driven (backwards below 0) and radians turned between two times."""
        distance = turn = 0.0
        for before, after in pairwise(self.way):
            span = after.time - before.time
            share = (min(after.time, end) - max(before.time, begin)) / span
            if share > 0:
                distance += share * after.distance
                turn += share * (after.pose.heading - before.pose.heading)
        return distance, turn

    def at(self, moment: float) -> Pose:
        """Return the pose at a time of the way."""
        for before, after in pairwise(self.way):
            if after.time >= moment:
                share = max(0.0, (moment - before.time) / (after.time - before.time))
                turn = after.pose.heading - before.pose.heading
                return before.pose.moved(share * after.distance, share * turn)
        return self.pose

    def _go(self, seconds: float, end: float) -> None:
        """Move for some seconds, then wait for the rest of the time to ``end``."""
        distance, turn = self._speed * seconds, self._rate * seconds
        steps = max(1, math.ceil(abs(turn) / ARC_STEP))
        last = self.way[-1]
        if not distance and not turn and len(self.way) > 1 and self.way[-2].pose == last.pose:
            self.way[-1] = replace(last, time=end)  # it still stands: only the time goes on
            return
        for step in range(1, steps + 1):
            pose = self.pose.moved(distance / steps, turn / steps)
            moment = last.time + (end - last.time) * step / steps
            self.way.append(Point(moment, pose, distance / steps))
