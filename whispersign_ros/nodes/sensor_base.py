# SPDX-License-Identifier: MIT
"""Base class of the sensor nodes, which publish observations on ``hands/raw``."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.duration import Duration

from whispersign_model.errors import WhisperSignError
from whispersign_model.features.frame_rate import FrameRateMonitor
from whispersign_model.sensors.reader import Reader, RetryPolicy
from whispersign_model.sensors.sensor import Observation, Sensor
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import HandFrame
from whispersign_ros.conversions.messages import frame_message
from whispersign_ros.node import qos
from whispersign_ros.node.diagnostics import Diagnostics
from whispersign_ros.node.managed_node import AUTOSTART, ManagedNode
from whispersign_ros.node.parameters import ParameterSpec

# Parameters of every sensor node.
SHARED_PARAMETERS = (
    ParameterSpec(
        "frame_id",
        "hands",
        "frame_id of the headers; x points to the signer's right, y up, z toward the signer",
    ),
    ParameterSpec(
        "retry", 0.5, "seconds before the first attempt to reconnect to a lost sensor", (0.05, 60.0)
    ),
    ParameterSpec(
        "longest_retry",
        8.0,
        "maximum delay in seconds between attempts; the delay doubles after each attempt",
        (0.05, 600.0),
    ),
    ParameterSpec(
        "silence",
        2.0,
        "seconds without a frame after which the sensor is reported silent",
        (0.2, 60.0),
    ),
    AUTOSTART,
)
MAX_DRIFT = NANOSECONDS // 20  # between the node's and the host's clock, without a correction
MAX_STEP_BACK = NANOSECONDS  # a larger step back starts a new stream
MIN_STEP = NANOSECONDS // 1000  # between two frames if simulated time runs slower
LAST_DELIVERY = Duration(seconds=2)  # maximum wait for acknowledgement of the last messages


class HostClock:
    """Converts the host's monotonic time to the node's time, preserving intervals.

    Simulated time may run at another speed, so each stamp is then the current time on ``/clock``.

    Args:
        now: returns the node's time in nanoseconds.
        simulated: returns whether the node's clock follows ``/clock``.
    """

    def __init__(self, now: Callable[[], int], simulated: Callable[[], bool]) -> None:
        self._now = now
        self._simulated = simulated
        self._offset: int | None = None
        self._last = 0

    def ros(self, stamp: int) -> int:
        """Convert a stamp from ``time.monotonic_ns()`` to the node's time, nanoseconds."""
        offset, simulated = self._now() - time.monotonic_ns(), self._simulated()
        if simulated or self._offset is None or abs(offset - self._offset) > MAX_DRIFT:
            self._offset = offset
        found = stamp + self._offset
        if simulated and 0 <= self._last - found < MAX_STEP_BACK:
            found = self._last + MIN_STEP
        self._last = found
        return found


class SensorNode(ManagedNode):
    """Publishes a sensor's observations.

    Configuring the node creates the sensor; while active, the node reads it. A subclass implements
    ``make_sensor`` and calls ``begin`` at the end of its constructor.

    Args:
        name: node name.
        table: all its parameters, including ``SHARED_PARAMETERS``.
        on_end: called after the last frame of a finite source.
        also_known: names of parameters that other nodes in the process declare.
        arguments: passed to ``rclpy.node.Node``.

    Raises:
        ConfigError: a parameter is invalid.
    """

    def __init__(
        self,
        name: str,
        table: Sequence[ParameterSpec],
        on_end: Callable[[], None],
        also_known: Sequence[str] = (),
        **arguments: Any,
    ) -> None:
        self._reader: Reader | None = None
        self.sensor: Sensor | None = None
        self.stopping = threading.Event()
        self.on_end = on_end
        super().__init__(name, table, also_known, **arguments)
        self.diagnostics = Diagnostics(self, condition=self.condition)
        self.frames = qos.publish(self, HandFrame, "hands/raw", qos.HANDS)
        clock = self.get_clock()
        self._host_clock = HostClock(
            lambda: int(clock.now().nanoseconds), lambda: bool(clock.ros_time_is_active)
        )
        self._frame_rate = FrameRateMonitor()
        self._sequence = 0
        self.last_stamp = 0
        self._counted: Counter[str] = Counter()

    def make_sensor(self) -> Sensor:
        """Create the sensor from ``values``.

        Raises:
            WhisperSignError: a value is unusable.
        """
        raise NotImplementedError

    def observed(self, observation: Observation) -> None:
        """Publish an observation; the reader calls this."""
        sensor = self.sensor
        assert sensor is not None
        self.diagnostics.accept()
        self._count_drops(sensor)
        stamp = self._host_clock.ros(observation.stamp) if sensor.host_clock else observation.stamp
        if stamp <= self.last_stamp and self.last_stamp - stamp <= MAX_STEP_BACK:
            self.diagnostics.dropped("frames_out_of_order")
            return
        if stamp < 0:
            self.diagnostics.dropped("frames_before_the_clock", "nothing received on /clock yet")
            return
        if stamp < self.last_stamp:
            self._sequence = 0
        self.last_stamp = stamp
        self.frames.publish(
            frame_message(
                stamp,
                self._sequence,
                observation.positions,
                observation.confidence,
                frame_id=self.values["frame_id"],
                coordinates=sensor.coordinates,
                source=sensor.source,
            )
        )
        self._sequence += 1
        self.diagnostics.arrived(stamp)
        self._frame_rate.push(stamp)
        self.diagnostics.warn(self._frame_rate.fault)  # preprocessing_node logs it
        self.diagnostics.show("hands_tracked", observation.hands_tracked)
        for key, value in sensor.values().items():
            self.diagnostics.show(key, value)

    def opened(self) -> None:
        """Start a new stream; the reader calls this."""
        self._sequence = 0

    def lost(self, error: WhisperSignError) -> None:
        """Report a sensor fault; the reader calls this."""
        self.diagnostics.fail(str(error))

    def ended(self) -> None:
        """Wait until the last frames are delivered, then call ``on_end``; the reader calls this."""
        if self.sensor is not None:
            self._count_drops(self.sensor)
        self.frames.wait_for_all_acked(timeout=LAST_DELIVERY)
        self.get_logger().info(f"the end after {self.diagnostics.received} frames")
        if not self.stopping.is_set():
            self.on_end()

    def _count_drops(self, sensor: Sensor) -> None:
        for cause, count in sensor.drops().items():
            if new := count - self._counted[cause]:
                self._counted[cause] = count
                self.diagnostics.dropped(cause, sensor.source, new)

    def _configure(self) -> None:
        self.sensor = self.make_sensor()
        self._counted = Counter()

    def _activate(self) -> None:
        assert self.sensor is not None
        self.stopping.clear()
        values = self.values
        retry = RetryPolicy(values["retry"], values["longest_retry"], values["silence"])
        self._reader = Reader(self.sensor, self, retry)
        self._reader.start()

    def _release(self) -> None:
        self.stopping.set()
        if self._reader is not None:
            self._reader.stop()
        self._reader = None

    def _forget(self) -> None:
        self.sensor = None
