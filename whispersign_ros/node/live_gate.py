# SPDX-License-Identifier: MIT
"""Live gate: skips messages that are too old, so that a delayed stage returns to the present."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import Any

from rclpy.node import Node

from whispersign_model.timestamps import NANOSECONDS, seconds
from whispersign_ros.node.diagnostics import TOO_OLD, Diagnostics
from whispersign_ros.node.parameters import ParameterSpec
from whispersign_ros.node.source_guard import SourceMonitor

MAX_AGE = ParameterSpec(
    "max_age",
    0.4,
    "maximum age of a frame in seconds since its capture; a node that is further behind skips to"
    " the newest frame and begins a new stream; 0.0 processes every frame; use it for recordings",
    (0.0, 60.0),
)
BURST = NANOSECONDS // 4  # between two frames of the slowest camera, with a margin
DRAINING = 0.5  # share of a stamp step by which the age falls per message while a backlog drains


class Admission(Enum):
    """What a stage does with a message."""

    ADMITTED = "admitted"
    FIRST = "first"  # admitted; begins a new stream, because messages before it were left out
    SKIPPED = "skipped"  # too old
    REFUSED = "refused"  # several sources send

    @property
    def admitted(self) -> bool:
        """Whether the stage processes the message."""
        return self in (Admission.ADMITTED, Admission.FIRST)


class LiveGate:
    """Skips from the first message that is too old to the newest one.

    The age of a message is the time since its capture. While a backlog drains, messages arrive at
    once and their ages fall by a whole stamp step each. From a live sensor, ages stay constant,
    whatever its latency. A skip therefore ends at a message that is young enough and whose age no
    longer falls by most of a stamp step. Stamps in the future pass.

    The steps of one frame of a slow camera arrive as a burst, whose first ones are older than the
    frame by its period. While a message of the last ``BURST`` was young enough, others may
    therefore be older by as much.

    Args:
        max_age: seconds; 0 admits everything.

    Attributes:
        max_age: the same.
        skipping: whether the gate is skipping to the newest message.
    """

    def __init__(self, max_age: float) -> None:
        self.max_age = max_age
        self.skipping = False
        self._limit = round(max_age * NANOSECONDS)
        self._last: tuple[int, int] | None = None  # stamp and age of the last message
        self._young: int | None = None  # when the last message that was young enough arrived

    def admit(self, stamp: int, now: int) -> Admission:
        """Judge a message.

        Args:
            stamp: capture time, nanoseconds.
            now: the present on the same clock, nanoseconds.
        """
        if not self._limit:
            return Admission.ADMITTED
        age = now - stamp
        last, self._last = self._last, (stamp, age)
        old = age > self._limit + (BURST if self._was_young(now) else 0)
        if age <= self._limit:
            self._young = now
        if old or (self.skipping and _is_draining(last, stamp, age)):
            self.skipping = True
            return Admission.SKIPPED
        first, self.skipping = self.skipping, False
        return Admission.FIRST if first else Admission.ADMITTED

    def _was_young(self, now: int) -> bool:
        """Return whether a message was young enough within the time of a burst."""
        return self._young is not None and 0 <= now - self._young <= BURST


def _is_draining(last: tuple[int, int] | None, stamp: int, age: int) -> bool:
    """Return whether a message came much sooner after the last one than it was captured."""
    if last is None or stamp <= last[0]:
        return False
    last_stamp, last_age = last
    return last_age - age > DRAINING * (stamp - last_stamp)


class LiveInput:
    """Decides which messages of a hands or features topic a stage processes.

    It refuses all while several sources send, and skips those that are too old. Both are counted
    and reported on the node's diagnostics.

    Args:
        node: reads the topic; its clock gives the present.
        topic: relative name.
        diagnostics: the node's.
        max_age: the parameter's value, seconds.
        kind: what a message holds: ``frames`` or ``steps``.
    """

    def __init__(
        self, node: Node, topic: str, diagnostics: Diagnostics, max_age: float, kind: str
    ) -> None:
        self._clock = node.get_clock()
        self._diagnostics = diagnostics
        self._sources = SourceMonitor(node, topic, diagnostics)
        self._gate = LiveGate(max_age)
        self._cause = kind + TOO_OLD
        self._refused = False

    def admit(self, info: Mapping[str, Any] | None, sequence: int, stamp: int) -> Admission:
        """Decide whether the stage processes a message.

        Args:
            info: second argument of the subscription's callback.
            sequence: the message's sequence number.
            stamp: the message's capture time, nanoseconds.
        """
        now = int(self._clock.now().nanoseconds)
        admission = self._gate.admit(stamp, now)
        if not self._sources.admit(info, sequence, stamp):
            self._refused = True
            return Admission.REFUSED
        if admission is Admission.SKIPPED:
            self._diagnostics.dropped(
                self._cause, f"{seconds(now - stamp):.1f} s old, max_age is {self._gate.max_age:g}"
            )
            return admission
        refused, self._refused = self._refused, False
        return Admission.FIRST if refused else admission


def playback(table: Sequence[ParameterSpec]) -> tuple[ParameterSpec, ...]:
    """Return a stage's parameters for a recording, which must lose nothing."""
    return tuple(replace(each, default=0.0) if each == MAX_AGE else each for each in table)
