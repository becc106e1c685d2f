# SPDX-License-Identifier: MIT
"""Unicycle model of a differential-drive robot, integrated exactly along arcs."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from itertools import pairwise

STRAIGHT = 1e-9  # rad; an arc with a smaller angle counts as a straight line
ARC_STEP = math.radians(10)  # angle of an arc between two points of the trajectory


@dataclass(frozen=True)
class Pose:
    """Pose of the robot.

    Attributes:
        x, y: position in meters; at the start, x points forward and y left.
        heading: radians, counterclockwise, not wrapped.
    """

    x: float = 0.0
    y: float = 0.0
    heading: float = 0.0

    def moved(self, distance: float, turn: float) -> Pose:
        """Return the pose after an arc with this length and change of heading."""
        half = turn / 2
        chord = distance if abs(half) < STRAIGHT else distance * math.sin(half) / half
        along = self.heading + half
        return Pose(
            self.x + chord * math.cos(along), self.y + chord * math.sin(along), self.heading + turn
        )


@dataclass(frozen=True)
class Point:
    """A point of the trajectory.

    Attributes:
        time: seconds.
        pose: pose at that time.
        distance: meters from the previous point; negative if backwards.
    """

    time: float
    pose: Pose
    distance: float = 0.0


class Unicycle:
    """Integrates velocity commands, and stops if no command arrives for ``timeout`` seconds.

    Attributes:
        trajectory: the newest ``kept`` points.

    Args:
        timeout: seconds without a command after which the robot stops.
        now: start time, seconds.
        kept: maximum number of points.
    """

    def __init__(self, timeout: float, now: float, kept: int = 20_000) -> None:
        self._timeout = timeout
        self._linear = self._angular = 0.0
        self._until = now
        self.trajectory = deque([Point(now, Pose())], kept)

    @property
    def pose(self) -> Pose:
        """The pose at the last ``advance``."""
        return self.trajectory[-1].pose

    def command(self, linear: float, angular: float, now: float) -> None:
        """Set linear (m/s) and angular (rad/s, counterclockwise) velocity."""
        self.advance(now)
        self._linear, self._angular = linear, angular
        self._until = now + self._timeout

    def advance(self, now: float) -> Pose:
        """Integrate up to a time, and return the pose."""
        for moment in (min(now, self._until), now):
            last = self.trajectory[-1]
            seconds = moment - last.time
            if seconds > 0:
                self._go(seconds if moment <= self._until else 0.0, moment)
        return self.pose

    @property
    def stopped(self) -> bool:
        """Whether the last command was to stop."""
        return not self._linear and not self._angular

    def between(self, begin: float, end: float) -> tuple[float, float]:
        """Return the meters driven (negative if backwards) and radians turned between two times."""
        distance = turn = 0.0
        for before, after in pairwise(self.trajectory):
            span = after.time - before.time
            share = (min(after.time, end) - max(before.time, begin)) / span
            if share > 0:
                distance += share * after.distance
                turn += share * (after.pose.heading - before.pose.heading)
        return distance, turn

    def at(self, moment: float) -> Pose:
        """Return the pose at a time within the trajectory."""
        for before, after in pairwise(self.trajectory):
            if after.time >= moment:
                share = max(0.0, (moment - before.time) / (after.time - before.time))
                turn = after.pose.heading - before.pose.heading
                return before.pose.moved(share * after.distance, share * turn)
        return self.pose

    def _go(self, seconds: float, end: float) -> None:
        """Move for some seconds, then stand still until ``end``."""
        distance, turn = self._linear * seconds, self._angular * seconds
        steps = max(1, math.ceil(abs(turn) / ARC_STEP))
        last = self.trajectory[-1]
        if (
            not distance
            and not turn
            and len(self.trajectory) > 1
            and self.trajectory[-2].pose == last.pose
        ):
            self.trajectory[-1] = replace(last, time=end)  # still standing
            return
        for step in range(1, steps + 1):
            pose = self.pose.moved(distance / steps, turn / steps)
            moment = last.time + (end - last.time) * step / steps
            self.trajectory.append(Point(moment, pose, distance / steps))
