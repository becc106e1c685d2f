# SPDX-License-Identifier: MIT
"""Node ``visualization_node``: publishes hands and glosses as markers for subscribers."""

import time
from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import Gloss, HandFrame
from whispersign_ros.conversions import markers
from whispersign_ros.conversions.messages import read_frame
from whispersign_ros.node import qos
from whispersign_ros.node.diagnostics import Diagnostics
from whispersign_ros.node.parameters import ParameterSpec, declare
from whispersign_ros.node.stream_monitor import InputWatchdog

SUBSCRIBER_CHECK = 0.25  # seconds between two checks for subscribers
MIN_PERIOD = 0.9  # share of the nominal period, so that a slightly early frame is still drawn
LINE = 1.5  # line spacing in text heights
PARAMETERS = (
    ParameterSpec(
        "hands",
        "filtered",
        "topic to draw: hands/filtered or hands/raw",
        choices=("filtered", "raw"),
    ),
    ParameterSpec("publish_rate", 30.0, "maximum number of frames drawn per second", (1.0, 240.0)),
    ParameterSpec("gloss_time", 3.0, "seconds that a gloss stays visible", (0.1, 3600.0)),
    ParameterSpec(
        "hands_timeout",
        1.0,
        "seconds without a frame after which all markers are deleted",
        (0.1, 60.0),
    ),
)


class Sentence:
    """The glosses of one utterance, collected from Gloss messages.

    Attributes:
        utterance: number of the utterance; -1 before the first.
    """

    def __init__(self) -> None:
        self.utterance = -1
        self._glosses: list[str] = []

    def take(self, message: Gloss) -> None:
        """Put a gloss at its position, and drop the glosses after it."""
        if message.utterance_id != self.utterance:
            self._glosses = []
        self.utterance = int(message.utterance_id)
        self._glosses[message.position :] = [message.gloss]

    def clear(self) -> None:
        """Forget all glosses."""
        self._glosses = []

    @property
    def text(self) -> str:
        """The glosses, separated by spaces."""
        return " ".join(self._glosses)


class VisualizationNode(Node):
    """Publishes ``markers``, and subscribes to its inputs only while ``markers`` has subscribers.

    Raises:
        ConfigError: a parameter is invalid.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(
            "visualization_node", automatically_declare_parameters_from_overrides=True, **arguments
        )
        values = declare(self, PARAMETERS)
        self._topic = f"hands/{values['hands']}"
        self._pause = round(MIN_PERIOD / values["publish_rate"] * NANOSECONDS)
        self._gloss_time: float = values["gloss_time"]
        self._inputs: list[Callable[[], None]] = []  # functions that end the subscriptions
        self._forget()
        self.diagnostics = Diagnostics(self, self._topic, "whispersign_msgs/msg/HandFrame")
        self.diagnostics.rest("no subscribers to markers")
        self._markers = qos.publish(self, MarkerArray, "markers", qos.MARKERS)
        self._watchdog = InputWatchdog(self, values["hands_timeout"], self._clear)
        self._timer = self.create_timer(
            SUBSCRIBER_CHECK, self._check_subscribers, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    @property
    def drawing(self) -> bool:
        """Whether the node subscribes to its inputs."""
        return bool(self._inputs)

    def _forget(self) -> None:
        self._header = Header()
        self._anchor = markers.Anchor()
        self._final, self._partial = Sentence(), Sentence()
        self._final_arrival = 0.0  # seconds on a monotonic clock
        self._drawn = 0  # time of the last drawn frame, nanoseconds

    def _check_subscribers(self) -> None:
        """Subscribe to the inputs while the markers have subscribers."""
        wanted = self._markers.get_subscription_count() > 0
        if wanted and not self._inputs:
            self.listen()
        elif not wanted and self._inputs:
            for end in self._inputs:
                end()
            self._inputs = []
            self._forget()
            self.diagnostics.rest("no subscribers to markers")

    def listen(self) -> None:
        """Subscribe to hands and glosses."""
        hands = qos.HandsInput(self, self._topic, self._draw)
        glosses = [
            qos.subscribe(self, Gloss, "gloss", qos.GLOSS, self._on_gloss),
            qos.subscribe(self, Gloss, "gloss_partial", qos.GLOSS_PARTIAL, self._on_gloss),
        ]
        self._inputs = [
            hands.destroy,
            *(lambda each=each: self.destroy_subscription(each) for each in glosses),
        ]
        self.diagnostics.rest("")

    def _on_gloss(self, message: Gloss) -> None:
        """Add a gloss; ignore partial glosses of an utterance that is already final."""
        if not message.final:
            if message.utterance_id != self._final.utterance:
                self._partial.take(message)
            return
        self._partial.clear()
        self._final.take(message)
        self._final_arrival = time.monotonic()

    def _draw(self, message: HandFrame) -> None:
        """Publish a frame's markers, at most at ``publish_rate``."""
        now = time.monotonic_ns()
        frame = read_frame(message)
        self.diagnostics.arrived(frame.stamp)
        self._watchdog.feed()
        if now - self._drawn < self._pause:
            return
        self._drawn = now
        self._header = message.header
        size = markers.sizes(message.coordinates)
        positions = markers.upright(frame.positions, message.coordinates)
        drawn: list[Marker] = []
        for hand, joints in markers.SIDES.items():
            confidence = frame.confidence[joints]
            drawn += markers.hand_markers(hand, self._header, positions[joints], confidence, size)
        place = self._anchor.follow(positions, frame.confidence).copy()
        for namespace, text in (("partial", self._partial.text), ("gloss", self._last_glosses())):
            place[1] += size.above if namespace == "partial" else LINE * size.text
            drawn.append(markers.text_marker(namespace, self._header, text, place, size))
        self._markers.publish(MarkerArray(markers=drawn))
        self.diagnostics.show("hands_tracked", frame.hands_tracked)

    def _last_glosses(self) -> str:
        """Return the final glosses, or "" if they arrived more than ``gloss_time`` seconds ago."""
        old = time.monotonic() - self._final_arrival > self._gloss_time
        return "" if old else self._final.text

    def _clear(self) -> None:
        """Delete all markers."""
        self._markers.publish(MarkerArray(markers=markers.clearing(self._header)))
        self._partial.clear()
