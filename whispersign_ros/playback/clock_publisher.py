# SPDX-License-Identifier: MIT
"""Publish the playback time on ``/clock``, for nodes with use_sim_time."""

import threading
import time

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rosgraph_msgs.msg import Clock as ClockMessage

from whispersign_model.timestamps import NANOSECONDS
from whispersign_ros.conversions.messages import time_message
from whispersign_ros.node import qos


class ClockPublisher:
    """Publishes a recording's playback position at a fixed rate.

    It starts with the first recording. After a recording, the time stands still until the next one
    begins. If that has earlier stamps, the clock jumps back.

    Args:
        node: owns the publisher.
        publish_rate: rate in Hz; 0 disables publishing.
    """

    def __init__(self, node: Node, publish_rate: float) -> None:
        self._lock = threading.Lock()
        self._begin = self._end = 0  # stamps, nanoseconds
        self._speed = 0.0
        self._begun: float | None = None
        if publish_rate:
            self._publisher = qos.publish(node, ClockMessage, "/clock", qos.CLOCK)
            node.create_timer(
                1 / publish_rate, self._publish, clock=Clock(clock_type=ClockType.STEADY_TIME)
            )

    def begin(self, begin: int, end: int, playback_speed: float) -> None:
        """Start a recording's clock; the player's thread calls this.

        Args:
            begin: published stamp of the first frame, nanoseconds.
            end: published stamp of the last frame, nanoseconds.
            playback_speed: seconds of the recording per second.
        """
        with self._lock:
            self._begin, self._end, self._speed = begin, end, playback_speed
            self._begun = time.monotonic()

    def _publish(self) -> None:
        with self._lock:
            if self._begun is None:
                return
            played = round((time.monotonic() - self._begun) * self._speed * NANOSECONDS)
            now = min(self._begin + played, self._end)
        self._publisher.publish(ClockMessage(clock=time_message(now)))
