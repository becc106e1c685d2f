# SPDX-License-Identifier: MIT
"""Trace of a graph: features and results with their arrival times, and process usage."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whispersign_model.decoding.result import Result
from whispersign_model.decoding.streaming import StreamingRecognizer
from whispersign_model.errors import WhisperSignError
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.recordings.recording import Recording
from whispersign_model.runtime.loading import load_backend
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import Gloss, HandFeatures
from whispersign_ros.conversions.messages import nanoseconds, read_features
from whispersign_ros.graph.monitor import START_LIMIT, GraphMonitor, monitored
from whispersign_ros.graph.process_usage import Usage

WARM_UP = 2 * NANOSECONDS  # nanoseconds of signing before the measured part
COOL_DOWN = 2 * NANOSECONDS  # nanoseconds of signing after the measured part

# Identifies a result: final, utterance id, and gloss id, start and end of each gloss.
ResultKey = tuple[bool, int, tuple[tuple[int, int, int], ...]]


@dataclass(frozen=True)
class GraphTrace:
    """Results, features and process usage of a graph.

    Attributes:
        results: partial and final results with their arrival times in nanoseconds, in that order.
        features: sequence, stamp and arrival time in nanoseconds, and ``(42, 7)`` features of each
            step.
        received: number of messages that each node received.
        begin, end: process usage at the start and end of the measured part.
        measured: seconds of signing in the measured part.
    """

    results: list[tuple[ResultKey, int]]
    features: list[tuple[int, int, int, NDArray[np.float32]]]
    received: dict[str, int]
    begin: Usage
    end: Usage
    measured: float

    @property
    def cpu_percent(self) -> dict[str, float]:
        """CPU time by process, as a percentage of one core over the duration of the signing.

        If the graph falls behind, this includes the CPU time of catching up.
        """
        return {
            name: 100 * (seconds - self.begin.processor[name]) / self.measured
            for name, seconds in self.end.processor.items()
        }


def trace(
    executables: Mapping[str, dict[str, Any]],
    recording: Recording,
    attach: Callable[[GraphMonitor], object] = lambda monitor: None,
) -> GraphTrace:
    """Play a recording through a graph.

    Args:
        executables: parameters of each executable; the last one is the source.
        recording: the recording to play.
        attach: called with the monitor before the nodes start.

    Raises:
        WhisperSignError: a node failed, or the graph published no features.
    """
    source = list(executables)[-1]
    with monitored() as monitor:
        tracer = _Tracer(monitor, recording)
        attach(monitor)
        for executable, parameters in executables.items():
            extra = {"wait_timeout": START_LIMIT} if executable == source else {}
            monitor.children.start(executable, {**parameters, **extra})
        monitor.wait_until_played(source, [recording])
    if len(tracer.usage) < 2:
        raise WhisperSignError("the live graph", "published no features of the recording")
    (first, begin), (last, end) = tracer.usage
    received = {name: report.received for name, report in monitor.reports.items()}
    measured = (last - first) / NANOSECONDS
    return GraphTrace(tracer.results, tracer.features, received, begin, end, measured)


class _Tracer:
    """Collects features, whole results, and process usage while the graph runs."""

    def __init__(self, monitor: GraphMonitor, recording: Recording) -> None:
        self.results: list[tuple[ResultKey, int]] = []
        self.features: list[tuple[int, int, int, NDArray[np.float32]]] = []
        self.usage: list[tuple[int, Usage]] = []  # time in the signing (ns) and usage then
        self._moments = WARM_UP, round(recording.duration * NANOSECONDS) - COOL_DOWN
        self._monitor = monitor
        self._glosses: dict[bool, list[Gloss]] = {False: [], True: []}
        monitor.subscribe("hands/features", self._on_features)
        monitor.subscribe("gloss", self._on_gloss)
        monitor.subscribe("gloss_partial", self._on_gloss)

    def _on_features(self, message: HandFeatures) -> None:
        now = self._monitor.get_clock().now().nanoseconds
        stamp, features = read_features(message)
        self.features.append((int(message.sequence), stamp, now, features))
        signed, count = stamp - self.features[0][1], len(self.usage)
        if count < len(self._moments) and signed > self._moments[count]:
            self.usage.append((signed, Usage.of(self._monitor.children.pids)))

    def _on_gloss(self, message: Gloss) -> None:
        """Collect the glosses of a result, which is complete with its last gloss."""
        now = self._monitor.get_clock().now().nanoseconds
        glosses = self._glosses[message.final]
        if message.position == 0:
            glosses.clear()
        glosses.append(message)
        if message.position + 1 == message.utterance_length == len(glosses):
            spans = tuple(
                (int(each.gloss_id), nanoseconds(each.start_time), nanoseconds(each.end_time))
                for each in glosses
            )
            self.results.append(((message.final, int(message.utterance_id), spans), now))


def recognize_again(traced: GraphTrace, model: Path) -> Iterator[Result]:
    """Recognize the traced features again; return results with the stamps of their frames."""
    metadata = read_metadata(model)
    backend = load_backend(model, "auto", 1)
    recognizer = StreamingRecognizer(
        backend, metadata.glosses, recipe=metadata.recipe, scale=metadata.confidence
    )
    for sequence, stamp, _, features in traced.features:
        if sequence == 0:
            yield from recognizer.finish()
        yield from recognizer.push(features[None], [stamp])
