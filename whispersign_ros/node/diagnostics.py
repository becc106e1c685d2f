# SPDX-License-Identifier: MIT
"""Publish a node's diagnostics: input rate, stamp age, inference time, losses and faults."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from whispersign_model.timestamps import NANOSECONDS
from whispersign_ros.node import qos

PERIOD = 1.0  # seconds between two reports, and covered by the figures of each
FAST_PERIOD = 0.1  # seconds between two reports of a node on which a robot depends
TOO_OLD = "_too_old"  # ends the causes of losses that a live gate counts
SILENCE = 2.0  # seconds without input after which the node reports a warning
WARNING_PERIOD = 10.0  # minimum seconds between two log lines about the same kind of fault
MAX_KINDS = 100  # kinds of faults to remember

Condition = tuple[bytes, str]  # level and message of a DiagnosticStatus


class LogThrottle:
    """Limits the log to one line per kind of fault in each ``WARNING_PERIOD``."""

    def __init__(self) -> None:
        self._logged: dict[str, float] = {}

    def allows(self, kind: str) -> bool:
        """Return whether to log this kind of fault now; if so, start its period."""
        now = time.monotonic()
        if now - self._logged.get(kind, -WARNING_PERIOD) < WARNING_PERIOD:
            return False
        if len(self._logged) > MAX_KINDS:
            self._logged.clear()
        self._logged[kind] = now
        return True


@dataclass
class _Interval:
    """Events between two reports.

    Attributes:
        begin: ``time.monotonic()``.
        received: input messages.
        drops: losses by cause.
        times: seconds of each model call.
    """

    begin: float = field(default_factory=time.monotonic)
    received: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)


class Diagnostics:
    """Counts events in a node and publishes a DiagnosticArray regularly.

    All methods may be called from any thread.

    Args:
        node: owns the publisher.
        input_topic: main input topic; "" for a source.
        input_type: type of that topic, e.g. ``whispersign_msgs/msg/HandFrame``.
        condition: called before each report; returns a level and message that replace "running", or
            None.
        period: seconds between two reports. Rates and losses cover the last ``PERIOD``.
    """

    def __init__(
        self,
        node: Node,
        input_topic: str = "",
        input_type: str = "",
        condition: Callable[[], Condition | None] = lambda: None,
        period: float = PERIOD,
    ) -> None:
        self._node = node
        self._topic = node.resolve_topic_name(input_topic) if input_topic else ""
        self._type = input_type
        self._condition = condition
        self._lock = threading.Lock()
        self._drops: Counter[str] = Counter()
        self._values: dict[str, str] = {}
        self._refusal = ""
        self._warning = ""
        self._rest = ""
        self._received = 0
        self._fault: Callable[[], str] = lambda: ""
        self._intervals = deque([_Interval()], maxlen=round(PERIOD / period))  # now: the last
        self._conflict = ""
        self._reports = 0
        self._last_stamp: int | None = None
        self._last_arrival = time.monotonic()
        self._drop_throttle, self._fault_throttle = LogThrottle(), LogThrottle()
        self._publisher = qos.publish(node, DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS)
        self._timer = node.create_timer(
            period, self.report, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def watch(self, fault: Callable[[], str]) -> None:
        """Report ``fault()`` as an error before all else, unless it is "".

        It is called before each report, by the thread that reports.
        """
        self._fault = fault

    def arrived(self, stamp: int) -> None:
        """Count an input message or a sensor frame, with its capture time (ns)."""
        with self._lock:
            self._received += 1
            self._intervals[-1].received += 1
            self._last_stamp = stamp
            self._last_arrival = time.monotonic()

    def dropped(self, cause: str, detail: str | Callable[[], str] = "", count: int = 1) -> None:
        """Count a loss, and log it at most every ``WARNING_PERIOD``; ``detail`` may be costly."""
        with self._lock:
            self._drops[cause] += count
            self._intervals[-1].drops[cause] += count
            log = self._drop_throttle.allows(cause)
            total = self._drops[cause]
        if log:
            detail = detail if isinstance(detail, str) else detail()
            text = f"{cause.replace('_', ' ')}: {detail or self._topic} ({total} so far)"
            self._node.get_logger().warning(text)

    def timed(self, seconds: float) -> None:
        """Record the duration of one inference."""
        with self._lock:
            self._intervals[-1].times.append(seconds)

    def show(self, key: str, value: object) -> None:
        """Set a value to include in every report."""
        with self._lock:
            self._values[key] = str(value)

    def refuse(self, reason: str) -> None:
        """Count a refused input, and report the reason as an error."""
        with self._lock:
            self._drops["refused"] += 1
        self.fail(reason)

    def fail(self, reason: str) -> None:
        """Report an error until ``accept`` is called; log it when it changes."""
        with self._lock:
            log = reason != self._refusal and self._fault_throttle.allows(reason)
            self._refusal = reason
        if log:
            self._node.get_logger().error(reason)

    def accept(self) -> None:
        """Clear the error."""
        with self._lock:
            self._refusal = ""

    def warn(self, reason: str) -> None:
        """Report a warning about the input, unless an error or silence says more; "" ends it."""
        with self._lock:
            self._warning = reason

    def rest(self, reason: str) -> None:
        """Report why the node expects no input for now; "" expects input again."""
        with self._lock:
            self._rest = reason
            self._last_arrival = time.monotonic()

    @property
    def refusal(self) -> str:
        """The current error, or "" if there is none."""
        with self._lock:
            return self._refusal

    @property
    def received(self) -> int:
        """Number of input messages so far."""
        with self._lock:
            return self._received

    @property
    def drops(self) -> dict[str, int]:
        """Losses so far, by cause."""
        with self._lock:
            return dict(self._drops)

    def report(self) -> None:
        """Publish the report of the last period and start the next interval."""
        conflict = self._find_conflict() if self._topic and not self._rest else ""
        fault, condition = self._fault(), self._condition()
        with self._lock:
            status = self._status(fault, conflict, condition)
            self._reports += 1
            self._intervals.append(_Interval())
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)

    def _status(self, fault: str, conflict: str, condition: Condition | None) -> DiagnosticStatus:
        now = time.monotonic()
        losses = self._losses()
        name = self._node.get_fully_qualified_name()
        status = DiagnosticStatus(level=DiagnosticStatus.OK, name=name, message="running")
        if fault:
            status.level, status.message = DiagnosticStatus.ERROR, fault
        elif self._refusal:
            status.level, status.message = DiagnosticStatus.ERROR, self._refusal
        elif condition is not None:
            status.level, status.message = condition
        elif self._rest:
            status.message = self._rest
        elif self._topic and now - self._last_arrival > SILENCE:
            status.level = DiagnosticStatus.WARN
            status.message = f"no input on {self._topic}" + (f": {conflict}" if conflict else "")
        elif warnings := [text for text in (conflict, self._warning, losses) if text]:
            status.level, status.message = DiagnosticStatus.WARN, "; ".join(warnings)
        values = self._measured(now) | self._values
        status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
        return status

    def _losses(self) -> str:
        """Describe the losses of the last period, "" if there are none."""
        drops = sum((interval.drops for interval in self._intervals), Counter[str]())
        if not drops:
            return ""
        text = f"{drops.total()} dropped in the last period"
        late = any(cause.endswith(TOO_OLD) for cause in drops)
        return f"input too old, skipping to the newest: {text}" if late else text

    def _measured(self, now: float) -> dict[str, str]:
        values: dict[str, str] = {}
        if self._topic or self._received:
            elapsed = max(now - self._intervals[0].begin, 1e-6)
            received = sum(interval.received for interval in self._intervals)
            values["input_hz"] = f"{received / elapsed:.1f}"
            values["received"] = str(self._received)
            if self._last_stamp is not None:
                clock = self._node.get_clock().now().nanoseconds
                values["stamp_age_ms"] = f"{(clock - self._last_stamp) / NANOSECONDS * 1e3:.1f}"
        if times := [each for interval in self._intervals for each in interval.times]:
            values["inference_ms_mean"] = f"{1e3 * sum(times) / len(times):.3f}"
            values["inference_ms_max"] = f"{1e3 * max(times):.3f}"
        for cause, count in sorted(self._drops.items()):
            values[f"dropped_{cause}"] = str(count)
        return values

    def _find_conflict(self) -> str:
        """Describe a fault of the input topic's publishers; ask the graph once a ``PERIOD``."""
        if self._reports % (self._intervals.maxlen or 1) == 0:
            self._conflict = self._ask_graph()
        return self._conflict

    def _ask_graph(self) -> str:
        """Describe a fault of the input topic's publishers, "" if there is none."""
        publishers = self._node.get_publishers_info_by_topic(self._topic)
        wrong = sorted({p.topic_type for p in publishers if p.topic_type != self._type})
        if wrong:
            return f"a publisher sends {', '.join(wrong)}, but {self._type} is expected"
        if len(publishers) > 1:
            return f"{len(publishers)} publishers interleave on {self._topic}"
        return "" if publishers else "it has no publisher"
