"""The demonstration: the live graph as processes, its glosses shown as they come."""

from __future__ import annotations

import json
import os
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from whispersign_model.errors import RecordingError, WhisperSignError
from whispersign_model.network.checkpoint import CheckpointMetadata, read_metadata
from whispersign_model.recordings.atomic import replace_file
from whispersign_model.recordings.bags.files import find_bags
from whispersign_model.recordings.recording import Recording
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import Gloss, HandFrame
from whispersign_ros.conversions.messages import nanoseconds
from whispersign_ros.graph.child_processes import Children
from whispersign_ros.node import qos
from whispersign_ros.node.discovery import isolate
from whispersign_ros.node.entry_points import GRAPH
from whispersign_ros.node.stream_monitor import SequenceTracker
from whispersign_ros.nodes.replay_node import read_hands

EXIT_WRONG = 1
SETTLED = 2.0  # seconds without a further gloss once as many have come as are expected
PATIENCE = 6.0  # seconds without a further gloss after the end of the recording
START_LIMIT = 120.0  # seconds for the nodes to start
BETWEEN = 5.0  # seconds that a recording may take to load, at most
SPIN = 0.1  # seconds between two looks at the processes
LISTENER = "whispersign_demo"


@dataclass(frozen=True)
class DemoOptions:
    """What is played.

    Attributes:
        model: checkpoint.
        bags: bags with labels, or folders of such.
        domain: ROS domain id; None takes a free one.
        verbose: show what the nodes log.
        json: where to write what was recognised in each recording; None for nowhere.
    """

    model: Path
    bags: tuple[Path, ...]
    domain: int | None = None
    verbose: bool = False
    json: Path | None = None


def demonstrate(options: DemoOptions) -> int:
    """Play bags through the graph and print glosses; return 0 if all are as labelled, else 1.

    Raises:
        WhisperSignError: model or recordings cannot be used, or a node failed.
    """
    recordings = read_labelled(find_bags(options.bags))
    metadata = read_metadata(options.model)
    _check_known(recordings, metadata)
    seconds = sum(recording.duration for recording in recordings)
    what = recordings[0].name if len(recordings) == 1 else f"{len(recordings)} recordings"
    glosses = sum(len(recording.glosses) for recording in recordings)
    print(
        f"playing {what} ({seconds:.1f} s, {glosses} glosses) through the live graph, "
        f"model {metadata.model_id}",
        flush=True,
    )
    isolate(os.environ, options.domain)
    with Children(options.verbose) as children:
        recognised = _listen(children, options, recordings)
    if options.json is not None:
        clips = [
            {"name": recording.name, "signed": recording.glosses, "recognized": heard}
            for recording, heard in zip(recordings, recognised)
        ]
        replace_file(options.json, json.dumps(clips, indent=1).encode())
    if len(recordings) == 1:
        return _compare(recordings[0].glosses, recognised[0])
    return _count(recordings, recognised)


def _check_known(recordings: Sequence[Recording], metadata: CheckpointMetadata) -> None:
    """Refuse recordings of another sensor's kind, and those of whose signs a model knows none.

    Raises:
        WhisperSignError: naming the first such recording.
    """
    for recording in recordings:
        metadata.recipe.check_source(recording.name, recording.coordinates, recording.smoothing)
        if not set(recording.glosses) & set(metadata.glosses):
            raise RecordingError(
                recording.name,
                f"has no sign that {metadata.model_id} knows",
                "name recordings of its signs with --bag",
            )


def read_labelled(bags: Sequence[Path]) -> list[Recording]:
    """Read bags whose labels say what is to be recognised.

    Raises:
        WhisperSignError: a bag cannot be read, or has no labels.
    """
    recordings = [read_hands(bag) for bag in bags]
    for recording in recordings:
        if not recording.glosses:
            raise RecordingError(
                recording.name, "has no labels to compare with", "give an annotated recording"
            )
    return recordings


def _listen(
    children: Children, options: DemoOptions, recordings: Sequence[Recording]
) -> list[list[str]]:
    """Start the nodes and print each gloss that comes, until no more can come."""
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    executor = SingleThreadedExecutor()
    try:
        listener = _Listener(recordings)
        executor.add_node(listener)
        for executable in GRAPH:
            children.start(executable, {"model": str(options.model)})
        children.start(
            "replay_node",
            {
                "bag": [str(bag) for bag in options.bags],
                "wait_for": [*GRAPH, LISTENER],
                "wait_timeout": START_LIMIT,
            },
        )
        while not listener.settled(children.ended("replay_node")):
            children.check()
            executor.spin_once(timeout_sec=SPIN)
        listener.destroy_node()
    finally:
        executor.shutdown()
        rclpy.shutdown()
    return listener.glosses


class CompletionTimeout:
    """How long to wait for a graph that plays recordings.

    Args:
        recordings: that are played.
        spare: seconds for what else it does.
    """

    def __init__(self, recordings: Sequence[Recording], spare: float = 0.0) -> None:
        self._begin = self._last = time.monotonic()
        self._limit = START_LIMIT + PATIENCE + spare
        self._limit += sum(recording.duration + BETWEEN for recording in recordings)
        self.source_ended = False

    def renewed(self) -> float:
        """Something new has come; return when, on the steady clock."""
        self._last = time.monotonic()
        return self._last

    def over(self, source_ended: bool, complete: bool) -> bool:
        """Tell whether nothing more is to be waited for.

        Raises:
            WhisperSignError: the graph takes longer than it can need.
        """
        now = time.monotonic()
        if source_ended and not self.source_ended:
            self.source_ended, self._last = True, now
        if now - self._begin > self._limit:
            raise WhisperSignError(
                "the live graph", f"has not finished after {self._limit:.0f} s", "try --verbose"
            )
        return self.source_ended and now - self._last > (SETTLED if complete else PATIENCE)


class _Listener(Node):
    """Prints final glosses with times from the first frame of their recording."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        super().__init__(LISTENER)
        self._recordings = recordings
        self._expected = sum(len(recording.glosses) for recording in recordings)
        self._heard: list[tuple[int, str]] = []  # start of the gloss, and its name
        self._origins: list[int] = []  # stamps at which the recordings began
        self._sequence = SequenceTracker()
        self._patience = CompletionTimeout(recordings)
        qos.subscribe(self, HandFrame, "hands/raw", qos.HANDS_INPUT, self._follow)
        qos.subscribe(self, Gloss, "gloss", qos.GLOSS, self._show)

    @property
    def glosses(self) -> list[list[str]]:
        """What was recognised in each recording so far."""
        glosses: list[list[str]] = [[] for _ in self._recordings]
        for start, gloss in self._heard:
            glosses[self._place(start)].append(gloss)
        return glosses

    def settled(self, source_ended: bool) -> bool:
        """Tell whether no further gloss is to be waited for.

        Raises:
            WhisperSignError: the graph takes longer than it can need.
        """
        return self._patience.over(source_ended, len(self._heard) >= self._expected)

    def _follow(self, message: HandFrame) -> None:
        """Note when each recording begins."""
        if self._sequence.at(message.sequence) or not self._origins:
            self._origins.append(nanoseconds(message.header.stamp))

    def _place(self, start: int) -> int:
        """Return which recording a gloss that starts then belongs to."""
        place = bisect_right(self._origins, start) - 1
        return min(max(place, 0), len(self._recordings) - 1)

    def _show(self, message: Gloss) -> None:
        start, end = nanoseconds(message.start_time), nanoseconds(message.end_time)
        place = self._place(start)
        origin = self._origins[place] if self._origins else start
        if not self._heard:
            print(f"{'from':>9} {'to':>9}  {'gloss':<16} confidence", flush=True)
        self._patience.renewed()
        self._heard.append((start, message.gloss))
        name = f"  {self._recordings[place].name}" if len(self._recordings) > 1 else ""
        print(
            f"{(start - origin) / NANOSECONDS:7.2f} s {(end - origin) / NANOSECONDS:7.2f} s  "
            f"{message.gloss:<16} {message.confidence:10.2f}{name}",
            flush=True,
        )


def _compare(expected: Sequence[str], recognised: Sequence[str]) -> int:
    print(f"expected:   {' '.join(expected)}")
    print(f"recognised: {' '.join(recognised) or '(nothing)'}")
    right = list(expected) == list(recognised)
    print("the gloss sequence is right" if right else "the gloss sequence is WRONG", flush=True)
    return 0 if right else EXIT_WRONG


def _count(recordings: Sequence[Recording], recognised: Sequence[Sequence[str]]) -> int:
    right = 0
    for recording, heard in zip(recordings, recognised):
        if list(recording.glosses) == list(heard):
            right += 1
        else:
            signed = " ".join(recording.glosses)
            print(f"{recording.name}: {signed} was recognised as {' '.join(heard) or '(nothing)'}")
    total = len(recordings)
    print(f"right: {right} of {total} recordings ({right / total:.1%})", flush=True)
    return 0 if right == total else EXIT_WRONG
