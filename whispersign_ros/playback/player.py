# SPDX-License-Identifier: MIT
"""Play recordings on ``hands/raw`` and ``annotation`` in real time, in a thread."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node

from whispersign_model.errors import WhisperSignError
from whispersign_model.recordings.recording import Recording
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import GlossAnnotation, HandFrame
from whispersign_ros.conversions.messages import annotation_message, frame_message
from whispersign_ros.node import qos
from whispersign_ros.node.diagnostics import Diagnostics
from whispersign_ros.node.parameters import ParameterSpec
from whispersign_ros.node.stream_monitor import JUMP
from whispersign_ros.playback.clock_publisher import ClockPublisher

# Parameters of every node that has a player.
SHARED_PARAMETERS = (
    ParameterSpec(
        "playback_speed", 1.0, "playback speed; 1.0 is the recorded speed", (0.01, 100.0)
    ),
    ParameterSpec(
        "frame_id",
        "",
        "frame_id of the headers; empty uses the recording's frame_id, or 'hands' if it has none",
    ),
    ParameterSpec(
        "wait_for",
        [""],
        "nodes that must subscribe to hands/* before the first frame is sent, e.g. "
        "recognition_node; hands/raw always needs a subscriber",
    ),
    ParameterSpec(
        "wait_timeout", 60.0, "maximum wait for these subscribers in seconds", (0.0, 3600.0)
    ),
    ParameterSpec(
        "start_delay",
        0.5,
        "delay in seconds between the arrival of these subscribers and the first frame",
        (0.0, 3600.0),
    ),
)
STAGES = ("hands/raw", "hands/filtered", "hands/features")
GRAPH_POLL = 0.1  # seconds between two checks for subscribers
UNREADABLE_PAUSE = 1.0  # seconds; keeps a loop over unreadable bags from spinning
LAST_DELIVERY = Duration(seconds=2)  # maximum wait for acknowledgement of the last messages


class Player:
    """Publishes recordings frame by frame.

    Attributes:
        sent: number of frames published so far.

    Args:
        node: owns the publishers.
        values: parameter values by name, including ``SHARED_PARAMETERS``.
        recordings: functions that return the recordings, in order; may be endless.
        diagnostics: reports the current recording and failures.
        on_end: called once after delivery of the last frame.
        restamp: whether to shift stamps so that a recording starts at the time of its publication.
        one_stream: whether the recordings form one stream; otherwise each starts at sequence 0,
            which resets every node downstream.
        pause: seconds between two recordings.
        clock: publishes the time of each recording.
    """

    def __init__(
        self,
        node: Node,
        values: Mapping[str, Any],
        recordings: Iterable[Callable[[], Recording]],
        diagnostics: Diagnostics,
        on_end: Callable[[], None],
        *,
        restamp: bool = True,
        one_stream: bool = False,
        pause: float = 0.0,
        clock: ClockPublisher | None = None,
    ) -> None:
        self._clock = clock
        self._node = node
        self._speed: float = values["playback_speed"]
        self._given_frame_id: str = values["frame_id"]
        self._wait_for = set(filter(None, values["wait_for"]))
        self._wait_timeout: float = values["wait_timeout"]
        self._start_delay: float = values["start_delay"]
        self._restamp, self._one_stream, self._pause = restamp, one_stream, pause
        self._recordings = recordings
        self._diagnostics = diagnostics
        self._on_end = on_end
        self._frames = qos.publish(node, HandFrame, "hands/raw", qos.HANDS)
        self._annotations = qos.publish(node, GlossAnnotation, "annotation", qos.ANNOTATION)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="player", daemon=True)
        self._sequence = 0
        self._last_stamp = 0
        self._jumped = threading.Event()  # the clock has jumped, so another stream must start
        self._jumps = node.get_clock().create_jump_callback(
            JUMP, post_callback=lambda _: self._jumped.set()
        )
        self.sent = 0

    def start(self) -> None:
        """Wait for subscribers, then play."""
        self._thread.start()

    @property
    def playing(self) -> bool:
        """Whether playback is in progress."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Stop playing and wait for the thread."""
        self._stop.set()
        self._jumps.unregister()
        if self.playing:
            self._thread.join()

    def _run(self) -> None:
        wait_for_listeners(self._node, self._wait_for, self._wait_timeout, self._stop)
        self._stop.wait(self._start_delay)
        for recording in self._read_on():
            if self._stop.is_set():
                return
            self._play(recording)
            if self._stop.wait(self._pause):
                return
        self._frames.wait_for_all_acked(timeout=LAST_DELIVERY)
        self._annotations.wait_for_all_acked(timeout=LAST_DELIVERY)
        self._node.get_logger().info(f"played to the end: {self.sent} frames")
        if not self._stop.is_set():
            self._on_end()

    def _read_on(self) -> Iterator[Recording]:
        """Yield recordings; report and skip unreadable ones."""
        for read in self._recordings:
            try:
                recording = read()
            except Exception as error:  # the next recording may be readable
                told = str(error) if isinstance(error, WhisperSignError) else repr(error)
                self._diagnostics.dropped("unreadable_recordings", told)
                self._stop.wait(UNREADABLE_PAUSE)
            else:
                yield recording

    def _play(self, recording: Recording) -> None:
        name = recording.name or recording.source
        if not len(recording):
            self._node.get_logger().warning(f"{name}: contains no frames")
            return
        self._diagnostics.show("recording", name)
        if not self._one_stream:
            self._sequence = 0
        if self._jumped.is_set():
            self._follow_clock()
        shift = self._shift(recording)
        labels = _labels(recording, shift, self._frame_id(recording))
        if self._clock is not None:
            first, last = (int(recording.stamps[place]) + shift for place in (0, -1))
            self._clock.begin(first, last, self._speed)
        begin = time.monotonic()
        for index, stamp in enumerate(recording.stamps.tolist()):
            elapsed = (stamp - int(recording.stamps[0])) / NANOSECONDS / self._speed
            if self._stop.wait(max(0.0, begin + elapsed - time.monotonic())):
                return
            if self._jumped.is_set() and self._restamp:
                self._follow_clock()
                shift = self._now() - stamp
                moved = _labels(recording, shift, self._frame_id(recording))
                labels = [label for label in moved if label[0] >= stamp]
            while labels and labels[0][0] < stamp:
                self._annotations.publish(labels.pop(0)[1])
            self._send(recording, index, shift)
        for _, label in labels:
            self._annotations.publish(label)

    def _now(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def _follow_clock(self) -> None:
        """Start another stream after a clock jump, and ignore earlier stamps."""
        self._jumped.clear()
        self._sequence = self._last_stamp = 0

    def _frame_id(self, recording: Recording) -> str:
        return self._given_frame_id or recording.meta.get("frame_id", "hands")

    def _shift(self, recording: Recording) -> int:
        """Return the nanoseconds to add to recorded stamps so that they never step back."""
        if not self._restamp:
            return 0
        now = self._now()
        pause = max(1, int(self._pause * NANOSECONDS))
        start = max(now, self._last_stamp + pause) if self.sent else now
        return start - int(recording.stamps[0])

    def _send(self, recording: Recording, index: int, shift: int) -> None:
        stamp = int(recording.stamps[index]) + shift
        self._frames.publish(
            frame_message(
                stamp,
                self._sequence,
                recording.positions[index],
                recording.confidence[index],
                frame_id=self._frame_id(recording),
                coordinates=recording.coordinates,
                source=recording.source,
                smoothing=recording.smoothing,
            )
        )
        self._sequence += 1
        self.sent += 1
        self._last_stamp = stamp
        self._diagnostics.show("frames_sent", self.sent)


def wait_for_listeners(
    node: Node, names: Collection[str], timeout: float, stop: threading.Event
) -> None:
    """Wait until ``hands/raw`` has a subscriber and each node subscribes to one of ``STAGES``.

    After ``timeout`` seconds, log a warning that names the missing subscribers. ``stop`` ends the
    wait at once.
    """
    deadline = time.monotonic() + timeout
    while (missing := _missing(node, names)) and time.monotonic() < deadline:
        if stop.wait(GRAPH_POLL):
            return
    if missing:
        node.get_logger().warning(f"{missing} after {timeout:g} s; playing anyway")


def _missing(node: Node, names: Collection[str]) -> str:
    """Describe the missing subscribers, or return "" if there are none."""
    listeners = {
        topic: {info.node_name for info in node.get_subscriptions_info_by_topic(topic)}
        for topic in map(node.resolve_topic_name, STAGES)
    }
    first = next(iter(listeners))
    if not listeners[first]:
        return f"no subscriber to {first}"
    missing = set(names).difference(*listeners.values())
    return f"{', '.join(sorted(missing))} not subscribed" if missing else ""


def _labels(recording: Recording, shift: int, frame_id: str) -> list[tuple[int, GlossAnnotation]]:
    """Return annotations with their end times, sorted by end; include discarded spans."""
    spans = [(segment.end, segment.start, segment.glosses) for segment in recording.segments]
    spans += [(end, start, ()) for start, end in recording.discarded]
    label = partial(annotation_message, frame_id=frame_id, signer=recording.signer)
    return [
        (end, label(start + shift, end + shift, glosses, keep=bool(glosses)))
        for end, start, glosses in sorted(spans)
    ]
