"""Where a node stands in the stream it receives: seams, and silence."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node

from whispersign_model.timestamps import CLOCK_JUMP_AHEAD, CLOCK_JUMP_BACK

# From how far a jump of the node's clock counts as another time.
JUMP = JumpThreshold(
    min_forward=Duration(nanoseconds=CLOCK_JUMP_AHEAD),
    min_backward=Duration(nanoseconds=-CLOCK_JUMP_BACK),
    on_clock_change=True,
)
LOOKS = 5  # in one timeout; silence is noticed at most a fifth of it too late


class SequenceTracker:
    """Tells where a new stream begins: where ``sequence`` does not increase.

    Attributes:
        missed: messages that are missing just before the last one.
    """

    def __init__(self) -> None:
        self.missed = 0
        self._last: int | None = None

    def at(self, sequence: int) -> bool:
        """Take the next message's sequence; True when another stream begins with it."""
        last, self._last = self._last, sequence
        begins = last is not None and sequence <= last
        self.missed = 0 if begins or last is None else sequence - last - 1
        return begins


class InputWatchdog:
    """Calls back once when no message has come for a while, by a clock that never jumps.

    It counts looks, not seconds: a process that was held up for long finds its messages waiting
    in the queue, and that is no silence.

    Args:
        node: owns the timer.
        timeout: seconds.
        callback: what to do; called again only after another message has come.
    """

    def __init__(self, node: Node, timeout: float, callback: Callable[[], None]) -> None:
        self._node = node
        self._callback = callback
        self._looks_left = 0  # 0: nothing is waited for
        self._timer = node.create_timer(
            timeout / LOOKS, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def broken(self) -> None:
        """A message has come."""
        self._looks_left = LOOKS + 1  # the first look may come at once

    @property
    def waiting(self) -> bool:
        """A message has come and the silence after it is not yet long enough."""
        return self._looks_left > 0

    def destroy(self) -> None:
        """Stop watching."""
        self._node.destroy_timer(self._timer)

    def _look(self) -> None:
        if self._looks_left:
            self._looks_left -= 1
            if not self._looks_left:
                self._callback()
