"""The demonstration: the live graph as processes, its glosses shown as they come."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from whispersign_model.errors import RecordingError, WhisperSignError
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.recordings.recording import NANOSECONDS, Recording
from whispersign_msgs.msg import Gloss
from whispersign_ros import qos
from whispersign_ros.children import Children
from whispersign_ros.discovery import isolate
from whispersign_ros.messages import nanoseconds
from whispersign_ros.replay_node import read_hands

EXIT_WRONG = 1
SETTLED = 2.0  # seconds without a further gloss once as many have come as are expected
PATIENCE = 6.0  # seconds without a further gloss after the end of the recording
START_LIMIT = 120.0  # seconds for the nodes to start
SPIN = 0.1  # seconds between two looks at the processes
GRAPH = ("recognition_node", "preprocessing_node", "smoothing_node")


def demonstrate(model: Path, bag: Path, domain: int | None, verbose: bool) -> int:
    """Play ``bag`` through the graph and print glosses; return 0 if they are as labelled, else 1.

    Args:
        model: checkpoint.
        bag: recording with labels.
        domain: ROS domain id; None takes a free one.
        verbose: show what the nodes log.

    Raises:
        WhisperSignError: model or recording cannot be used, or a node failed.
    """
    recording = read_hands(bag)
    if not recording.glosses:
        raise RecordingError(bag, "has no labels to compare with", "give an annotated recording")
    metadata = read_metadata(model)
    print(
        f"playing {recording.name} ({recording.duration:.1f} s, {len(recording.glosses)} glosses) "
        f"through the live graph, model {metadata.model_id}",
        flush=True,
    )
    isolate(os.environ, domain)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with Children(verbose) as children:
            recognised = _listen(children, model, bag, recording)
    finally:
        signal.signal(signal.SIGTERM, previous)
    return _compare(recording.glosses, recognised)


def _listen(children: Children, model: Path, bag: Path, recording: Recording) -> list[str]:
    """Start the nodes and print each gloss that comes, until no more can come."""
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        listener = _Listener(recording)
        for executable in GRAPH:
            children.start(executable, {"model": str(model)})
        children.start(
            "replay_node",
            {
                "bag": str(bag),
                "restamp": False,  # so that times count from the recording's first frame
                "wait_for": list(GRAPH),
                "wait_timeout": START_LIMIT,
            },
        )
        while not listener.settled(children.ended("replay_node")):
            children.check()
            rclpy.spin_once(listener, timeout_sec=SPIN)
        listener.destroy_node()
    finally:
        rclpy.shutdown()
    return listener.glosses


class _Listener(Node):
    """Prints final glosses with times from the first frame of the recording."""

    def __init__(self, recording: Recording) -> None:
        super().__init__("whispersign_demo")
        self.glosses: list[str] = []
        self._expected = len(recording.glosses)
        self._origin = int(recording.stamps[0])
        self._begin = self._last = time.monotonic()
        self._limit = START_LIMIT + recording.duration + PATIENCE
        self._source_ended = False
        qos.subscribe(self, Gloss, "gloss", qos.GLOSS, self._show)

    def settled(self, source_ended: bool) -> bool:
        """Tell whether no further gloss is to be waited for.

        Raises:
            WhisperSignError: the graph takes longer than it can need.
        """
        now = time.monotonic()
        if source_ended and not self._source_ended:
            self._source_ended, self._last = True, now
        if now - self._begin > self._limit:
            raise WhisperSignError(
                "the live graph", f"has not finished after {self._limit:.0f} s", "try --verbose"
            )
        patience = SETTLED if len(self.glosses) >= self._expected else PATIENCE
        return self._source_ended and now - self._last > patience

    def _show(self, message: Gloss) -> None:
        if not self.glosses:
            print(f"{'from':>9} {'to':>9}  {'gloss':<16} confidence", flush=True)
        self._last = time.monotonic()
        self.glosses.append(message.gloss)
        start, end = (
            (nanoseconds(moment) - self._origin) / NANOSECONDS
            for moment in (message.start_time, message.end_time)
        )
        print(
            f"{start:7.2f} s {end:7.2f} s  {message.gloss:<16} {message.confidence:10.2f}",
            flush=True,
        )


def _compare(expected: Sequence[str], recognised: Sequence[str]) -> int:
    print(f"expected:   {' '.join(expected)}")
    print(f"recognised: {' '.join(recognised) or '(nothing)'}")
    right = list(expected) == list(recognised)
    print("the gloss sequence is right" if right else "the gloss sequence is WRONG", flush=True)
    return 0 if right else EXIT_WRONG


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
