# SPDX-License-Identifier: MIT
"""Monitors of an input stream: sequence restarts, lost messages, and silence."""

from collections.abc import Callable

from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node

from whispersign_model.timestamps import CLOCK_JUMP_AHEAD, CLOCK_JUMP_BACK

# A jump of the node's clock by more than this resets what depends on time.
JUMP = JumpThreshold(
    min_forward=Duration(nanoseconds=CLOCK_JUMP_AHEAD),
    min_backward=Duration(nanoseconds=-CLOCK_JUMP_BACK),
    on_clock_change=True,
)
CHECKS = 5  # in one timeout; silence is noticed at most a fifth of it too late


class SequenceTracker:
    """Detects sequence restarts: a ``sequence`` that does not increase begins a new stream.

    Attributes:
        missed: messages lost between the last two.
    """

    def __init__(self) -> None:
        self.missed = 0
        self._last: int | None = None

    def update(self, sequence: int) -> bool:
        """Take the next message's sequence, and return whether a new stream begins with it."""
        last, self._last = self._last, sequence
        restart = last is not None and sequence <= last
        self.missed = 0 if restart or last is None else sequence - last - 1
        return restart


class InputWatchdog:
    """Calls back once when no message arrives for a while, by a clock that never jumps.

    It counts its own checks, not seconds. After a suspension the process finds messages in its
    queue, and no silence has passed.

    Args:
        node: owns the timer.
        timeout: seconds.
        callback: called once for each silence.
    """

    def __init__(self, node: Node, timeout: float, callback: Callable[[], None]) -> None:
        self._node = node
        self._callback = callback
        self._checks_left = 0  # 0: not armed
        self._timer = node.create_timer(
            timeout / CHECKS, self._check, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def feed(self) -> None:
        """Restart the timeout: a message has arrived."""
        self._checks_left = CHECKS + 1  # the first check may be due at once

    @property
    def armed(self) -> bool:
        """A message has arrived and the timeout has not passed since."""
        return self._checks_left > 0

    def destroy(self) -> None:
        """Cancel the timer."""
        self._node.destroy_timer(self._timer)

    def _check(self) -> None:
        if self._checks_left:
            self._checks_left -= 1
            if not self._checks_left:
                self._callback()
