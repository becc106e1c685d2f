# SPDX-License-Identifier: MIT
"""The graph monitor, which records the output of a running graph and waits for events."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Twist
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

from whispersign_model.errors import WhisperSignError
from whispersign_model.recordings.recording import Recording
from whispersign_msgs.msg import Gloss, GlossAnnotation, HandFeatures, HandFrame, Prompt
from whispersign_ros.conversions.messages import nanoseconds
from whispersign_ros.graph.child_processes import Children
from whispersign_ros.node import qos
from whispersign_ros.node.discovery import isolate
from whispersign_ros.node.runner import initialize, translate_ros_errors

MONITOR = "whispersign_monitor"
POLL_PERIOD = 0.05  # seconds between two checks of the processes
START_LIMIT = 120.0  # seconds for the nodes to start
EVENT_LIMIT = 60.0  # seconds to wait for any other event
LOAD_LIMIT, SLOWDOWN = 5.0, 5  # seconds to load a recording; playback may take 5 times its length
QUIET = 6.0  # seconds without a message that end the wait once the source has ended
QUIET_WHEN_COMPLETE = 2.0  # the same if everything expected has arrived
PARTIALS = 1000  # number of partial glosses to keep
DROPPED = "dropped_"  # prefix of loss counters in diagnostics
TOPICS: Mapping[str, tuple[type, QoSProfile]] = {
    "hands/raw": (HandFrame, qos.HANDS_INPUT),
    "hands/features": (HandFeatures, qos.FEATURES_INPUT),
    "gloss": (Gloss, qos.GLOSS),
    "gloss_partial": (Gloss, qos.GLOSS_PARTIAL),
    "annotation": (GlossAnnotation, qos.ANNOTATION),
    "command_state": (DiagnosticStatus, qos.COMMAND_STATE),
    "cmd_vel": (Twist, qos.COMMAND_INPUT),
    "prompt": (Prompt, qos.STATE),
    "/diagnostics": (DiagnosticArray, qos.DIAGNOSTICS),
}


class GraphTimeoutError(WhisperSignError):
    """The graph did not reach the expected state in time."""


@dataclass(frozen=True)
class TimedGloss:
    """One gloss, signed or recognized.

    Attributes:
        gloss: its name.
        start, end: capture times, nanoseconds.
        arrival: arrival time of its message, ``time.monotonic()``.
    """

    gloss: str
    start: int
    end: int
    arrival: float


@dataclass(frozen=True)
class Report:
    """The last diagnostics of a node.

    Attributes:
        level: DiagnosticStatus level as a number.
        message: the node's state or fault.
        values: diagnostic values by key.
        arrival: arrival time, ``time.monotonic()``.
    """

    level: int = 0
    message: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    arrival: float = 0.0

    @property
    def received(self) -> int:
        """Number of messages that the node has received since its start."""
        return int(self.values.get("received", 0))

    @property
    def drops(self) -> dict[str, int]:
        """Number of losses by cause."""
        counts = self.values.items()
        return {k.removeprefix(DROPPED): int(v) for k, v in counts if k.startswith(DROPPED)}


class GraphMonitor(Node):
    """Records glosses, annotations and diagnostics; its owner subscribes to other topics.

    Attributes:
        children: the processes of the graph.
        annotated: annotated glosses in order of arrival.
        finals: final glosses in order of arrival.
        partials: the last ``PARTIALS`` partial glosses in order of arrival.
        reports: last diagnostics by node name, without the leading slash.
        last_arrival: arrival time of the graph's last new message, ``time.monotonic()``.
        source_ended: whether ``wait_until_played`` has seen the source end.
    """

    def __init__(self, children: Children) -> None:
        super().__init__(MONITOR)
        self.children = children
        self.annotated: list[TimedGloss] = []
        self.finals: list[TimedGloss] = []
        self.partials: deque[TimedGloss] = deque(maxlen=PARTIALS)
        self.reports: dict[str, Report] = {}
        self.last_arrival = time.monotonic()
        self.source_ended = False
        self._callbacks: dict[str, list[Callable[[Any], None]]] = {}
        self.subscribe("annotation", self._on_annotation)
        self.subscribe("gloss", self._on_gloss)
        self.subscribe("gloss_partial", self._on_gloss)
        self.subscribe("/diagnostics", self._on_diagnostics)

    def subscribe(self, topic: str, callback: Callable[[Any], None]) -> None:
        """Call a function with each message on one of ``TOPICS``."""
        callbacks = self._callbacks.setdefault(topic, [])
        callbacks.append(callback)
        if len(callbacks) > 1:
            return

        def receive(message: Any) -> None:
            if topic != "/diagnostics":
                self.last_arrival = time.monotonic()
            for each in callbacks:
                each(message)

        message_type, profile = TOPICS[topic]
        qos.subscribe(self, message_type, topic, profile, receive)

    def spin(self, seconds: float) -> None:
        """Process messages for some time.

        Raises:
            WhisperSignError: a process failed.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._spin_once()

    def until(
        self, condition: Callable[[], object], what: str, limit: float = EVENT_LIMIT
    ) -> float:
        """Process messages until a condition holds; return the elapsed seconds.

        Raises:
            GraphTimeoutError: it does not hold within ``limit`` seconds; the text names ``what``.
            WhisperSignError: a process failed.
        """
        begin = time.monotonic()
        while not condition():
            if time.monotonic() - begin > limit:
                fault = f"{what}: not within {limit:.0f} s"
                raise GraphTimeoutError("the live graph", fault, "try on a machine with less load")
            self._spin_once()
        return time.monotonic() - begin

    def wait_until_played(
        self,
        source: str,
        recordings: Sequence[Recording],
        complete: Callable[[], bool] = lambda: False,
    ) -> None:
        """Process messages until the source has ended and nothing new arrives.

        Args:
            source: executable that plays the recordings.
            recordings: the recordings, whose lengths limit the wait.
            complete: returns whether everything expected has arrived.

        Raises:
            GraphTimeoutError: playback takes longer than the limit.
            WhisperSignError: a process failed.
        """

        def played() -> bool:
            if not self.source_ended and self.children.ended(source):
                self.source_ended, self.last_arrival = True, time.monotonic()
            quiet = QUIET_WHEN_COMPLETE if complete() else QUIET
            return self.source_ended and time.monotonic() - self.last_arrival > quiet

        playing = sum(SLOWDOWN * recording.duration + LOAD_LIMIT for recording in recordings)
        self.until(played, "the end of the recordings", START_LIMIT + QUIET + playing)

    def _spin_once(self) -> None:
        self.executor.spin_once(timeout_sec=POLL_PERIOD)
        self.children.check()

    def _on_annotation(self, message: GlossAnnotation) -> None:
        start, end = nanoseconds(message.start_time), nanoseconds(message.end_time)
        self.annotated += [TimedGloss(g, start, end, self.last_arrival) for g in message.glosses]

    def _on_gloss(self, message: Gloss) -> None:
        start, end = nanoseconds(message.start_time), nanoseconds(message.end_time)
        gloss = TimedGloss(message.gloss, start, end, self.last_arrival)
        (self.finals if message.final else self.partials).append(gloss)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        now = time.monotonic()
        for status in message.status:
            name = status.name.lstrip("/")
            values = {pair.key: pair.value for pair in status.values}
            level = ord(status.level) if isinstance(status.level, bytes) else int(status.level)
            report = Report(level, status.message, values, now)
            if report.received != self.reports.get(name, Report()).received:
                self.last_arrival = now
            self.reports[name] = report


@contextmanager
def monitored(domain: int | None = None, verbose: bool = False) -> Iterator[GraphMonitor]:
    """Yield a monitor of an isolated graph; its processes stop when the ``with`` block exits.

    Args:
        domain: ROS domain id; None chooses a free one.
        verbose: show the nodes' logs.

    Raises:
        WhisperSignError: the domain id is out of range, or ROS cannot start.
    """
    isolate(os.environ, domain)
    initialize([])
    executor = SingleThreadedExecutor()
    try:
        with Children(verbose) as children:
            with translate_ros_errors():
                monitor = GraphMonitor(children)
            executor.add_node(monitor)
            yield monitor
    finally:
        for node in executor.get_nodes():
            node.destroy_node()
        executor.shutdown()
        rclpy.shutdown()
