"""What a node reports on ``/diagnostics``: rates, ages, times, drops, and why it is unwell."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from whispersign_model.timestamps import NANOSECONDS
from whispersign_ros.node import qos

PERIOD = 1.0  # seconds between two reports
SILENCE = 2.0  # seconds without input after which the node says so
WARNING_PERIOD = 10.0  # seconds between two log lines about the same kind of fault
MOST_KINDS = 100  # of faults that are remembered

Condition = tuple[bytes, str]  # a level of DiagnosticStatus, and what it is about


class LogThrottle:
    """Says yes to each kind of fault at most every ``WARNING_PERIOD``."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def may_tell(self, kind: str) -> bool:
        """Whether this kind may be told of; it counts as told then."""
        now = time.monotonic()
        if now - self._told.get(kind, -WARNING_PERIOD) < WARNING_PERIOD:
            return False
        if len(self._told) > MOST_KINDS:
            self._told.clear()
        self._told[kind] = now
        return True


class Diagnostics:
    """Counts what happens in a node and publishes a DiagnosticArray every second.

    All methods may be called from any thread.

    Args:
        node: the node that reports.
        input_topic: the topic it lives on; "" for a source.
        input_type: the message type expected there, e.g. ``whispersign_msgs/msg/HandFrame``.
        condition: asked before each report: what there is to say instead of "running", if anything.
    """

    def __init__(
        self,
        node: Node,
        input_topic: str = "",
        input_type: str = "",
        condition: Callable[[], Condition | None] = lambda: None,
    ) -> None:
        self._node = node
        self._topic = node.resolve_topic_name(input_topic) if input_topic else ""
        self._type = input_type
        self._condition = condition
        self._lock = threading.Lock()
        self._drops: Counter[str] = Counter()
        self._values: dict[str, str] = {}
        self._refusal = ""
        self._rest = ""
        self._received = 0
        self._period_received = 0
        self._period_drops = 0
        self._period_times: list[float] = []
        self._last_stamp: int | None = None
        self._last_arrival = self._last_report = time.monotonic()
        self._warned, self._reasons = (
            LogThrottle(),
            LogThrottle(),
        )  # of drops and of refusals in the log
        self._publisher = qos.publish(node, DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS)
        self._timer = node.create_timer(
            PERIOD, self.report, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def arrived(self, stamp: int) -> None:
        """Count a message of the input topic, or a sensor's frame, by its capture time (ns)."""
        with self._lock:
            self._received += 1
            self._period_received += 1
            self._last_stamp = stamp
            self._last_arrival = time.monotonic()

    def dropped(self, cause: str, detail: str = "", count: int = 1) -> None:
        """Count something lost, and say so in the log at most every ``WARNING_PERIOD``."""
        with self._lock:
            self._drops[cause] += count
            self._period_drops += count
            tell = self._warned.may_tell(cause)
            total = self._drops[cause]
        if tell:
            text = f"{cause.replace('_', ' ')}: {detail or self._topic} ({total} so far)"
            self._node.get_logger().warning(text)

    def timed(self, seconds: float) -> None:
        """Note how long one call into the model took."""
        with self._lock:
            self._period_times.append(seconds)

    def show(self, key: str, value: object) -> None:
        """Set a value that every report carries."""
        with self._lock:
            self._values[key] = str(value)

    def refuse(self, reason: str) -> None:
        """Count an input that cannot be used, and say why."""
        with self._lock:
            self._drops["refused"] += 1
        self.fail(reason)

    def fail(self, reason: str) -> None:
        """Say why there is no usable input; in the log when it is new, or after a while again."""
        with self._lock:
            tell = reason != self._refusal and self._reasons.may_tell(reason)
            self._refusal = reason
        if tell:
            self._node.get_logger().error(reason)

    def accept(self) -> None:
        """The input can be used (again)."""
        with self._lock:
            self._refusal = ""

    def rest(self, reason: str) -> None:
        """Say why no input is expected for now; "" when it is expected (again)."""
        with self._lock:
            self._rest = reason
            self._last_arrival = time.monotonic()

    @property
    def refusal(self) -> str:
        """Why the input cannot be used, "" while it can."""
        with self._lock:
            return self._refusal

    @property
    def received(self) -> int:
        """Messages of the input topic so far."""
        with self._lock:
            return self._received

    @property
    def drops(self) -> dict[str, int]:
        """What was lost so far, by cause."""
        with self._lock:
            return dict(self._drops)

    def report(self) -> None:
        """Publish the state of the last period and begin the next."""
        conflict = self._conflict() if self._topic and not self._rest else ""
        condition = self._condition()
        with self._lock:
            status = self._status(conflict, condition)
            self._period_received = self._period_drops = 0
            self._period_times = []
            self._last_report = time.monotonic()
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)

    def _status(self, conflict: str, condition: Condition | None) -> DiagnosticStatus:
        now = time.monotonic()
        name = self._node.get_fully_qualified_name()
        status = DiagnosticStatus(level=DiagnosticStatus.OK, name=name, message="running")
        if self._refusal:
            status.level, status.message = DiagnosticStatus.ERROR, self._refusal
        elif condition is not None:
            status.level, status.message = condition
        elif self._rest:
            status.message = self._rest
        elif self._topic and now - self._last_arrival > SILENCE:
            status.level = DiagnosticStatus.WARN
            status.message = f"no input on {self._topic}" + (f": {conflict}" if conflict else "")
        elif self._period_drops:
            status.level = DiagnosticStatus.WARN
            status.message = f"{self._period_drops} dropped in the last period"
        elif conflict:
            status.level, status.message = DiagnosticStatus.WARN, conflict
        values = self._measured(now) | self._values
        status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
        return status

    def _measured(self, now: float) -> dict[str, str]:
        values: dict[str, str] = {}
        if self._topic or self._received:
            elapsed = max(now - self._last_report, 1e-6)
            values["input_hz"] = f"{self._period_received / elapsed:.1f}"
            values["received"] = str(self._received)
            if self._last_stamp is not None:
                clock = self._node.get_clock().now().nanoseconds
                values["stamp_age_ms"] = f"{(clock - self._last_stamp) / NANOSECONDS * 1e3:.1f}"
        if self._period_times:
            times = self._period_times
            values["inference_ms_mean"] = f"{1e3 * sum(times) / len(times):.3f}"
            values["inference_ms_max"] = f"{1e3 * max(times):.3f}"
        for cause, count in sorted(self._drops.items()):
            values[f"dropped_{cause}"] = str(count)
        return values

    def _conflict(self) -> str:
        """What is wrong with the publishers of the input topic, as far as the graph shows."""
        publishers = self._node.get_publishers_info_by_topic(self._topic)
        wrong = sorted({p.topic_type for p in publishers if p.topic_type != self._type})
        if wrong:
            return f"a publisher sends {', '.join(wrong)} where {self._type} is expected"
        if len(publishers) > 1:
            return f"{len(publishers)} publishers interleave on {self._topic}"
        return "" if publishers else "nobody publishes there"
