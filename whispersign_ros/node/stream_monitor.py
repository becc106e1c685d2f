# SPDX-License-Identifier: MIT
"""Monitors of an input stream: sequence restarts, lost messages and silence."""

from collections.abc import Callable

from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node

from whispersign_model.timestamps import CLOCK_JUMP_AHEAD, CLOCK_JUMP_BACK

# If the node's clock jumps further, everything that depends on time is reset.
JUMP = JumpThreshold(
    min_forward=Duration(nanoseconds=CLOCK_JUMP_AHEAD),
    min_backward=Duration(nanoseconds=-CLOCK_JUMP_BACK),
    on_clock_change=True,
)
CHECKS = 5  # checks per timeout; a timeout is detected at most a fifth of its duration late


class SequenceTracker:
    """Detects new streams and lost messages by ``sequence``, which increases within a stream.

    Attributes:
        missed: number of messages lost between the last two.
    """

    def __init__(self) -> None:
        self.missed = 0
        self._last: int | None = None

    def update(self, sequence: int) -> bool:
        """Process the next message's sequence; return whether it starts a new stream."""
        last, self._last = self._last, sequence
        restart = last is not None and sequence <= last
        self.missed = 0 if restart or last is None else sequence - last - 1
        return restart


class InputWatchdog:
    """Calls back once if no message arrives within a timeout.

    It counts checks of a monotonic timer instead of seconds. A process that was suspended therefore
    reads its queued messages before the timeout passes.

    Args:
        node: owns the timer.
        timeout: seconds.
        callback: called once per timeout.
    """

    def __init__(self, node: Node, timeout: float, callback: Callable[[], None]) -> None:
        self._node = node
        self._callback = callback
        self._checks_left = 0  # 0: not armed
        self._timer = node.create_timer(
            timeout / CHECKS, self._check, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def feed(self) -> None:
        """Restart the timeout, because a message has arrived."""
        self._checks_left = CHECKS + 1  # the first check may be due at once

    @property
    def armed(self) -> bool:
        """Whether a message has arrived and its timeout has not passed."""
        return self._checks_left > 0

    def destroy(self) -> None:
        """Cancel the timer."""
        self._node.destroy_timer(self._timer)

    def _check(self) -> None:
        if self._checks_left:
            self._checks_left -= 1
            if not self._checks_left:
                self._callback()
