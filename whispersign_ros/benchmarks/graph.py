"""What the live graph costs and how late its results are: ``whispersign bench --only graph``.

A made-up signer is played in real time through the real nodes. A listener notes when results come;
afterwards the same features are recognised once more, which tells which frame brought each result.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from whispersign_model.decoding.result import Result
from whispersign_model.decoding.streaming import RecognizerOptions, StreamingRecognizer
from whispersign_model.errors import WhisperSignError
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.recordings.bags.bag import write_bag
from whispersign_model.recordings.recording import Recording
from whispersign_model.runtime.loading import load_backend
from whispersign_model.synthesis.sensor import SensorModel
from whispersign_model.synthesis.signer import Signer
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import Gloss, HandFeatures
from whispersign_ros.conversions.messages import nanoseconds, read_features
from whispersign_ros.demo.graph_demo import SPIN, START_LIMIT
from whispersign_ros.graph.child_processes import Children
from whispersign_ros.graph.process_usage import Usage
from whispersign_ros.node import qos
from whispersign_ros.node.assets import DEMO_MODEL
from whispersign_ros.node.discovery import isolate
from whispersign_ros.node.entry_points import GRAPH

RATES = (30, 60, 120)  # frames a second
ROUNDS = 2 * len(RATES)  # graphs measured
SEED, SENTENCES, LENGTH = 901, 12, 2  # a signer whom the bundled model has not seen; glosses each
SETTLING = 2 * NANOSECONDS  # signing before processes are watched
REST = 2 * NANOSECONDS  # before the end up to which they are watched
TAIL = 3.0  # seconds without hands at the end
PATIENCE = 6.0  # seconds without anything new after the source has ended
SLOWEST = 5  # times the recording's duration that playing may take
LISTENER = "whispersign_bench"
MS = 1e6  # nanoseconds

Key = tuple[bool, int, tuple[tuple[int, int, int], ...]]  # final, utterance; gloss, start, end


def measure(
    model: Path | None,
    done: Callable[[], None],
    rates: Sequence[int] = RATES,
    sentences: int = SENTENCES,
) -> dict[str, Any]:
    """Measure the graph at frame rates, as four processes and as one.

    Args:
        model: checkpoint or exported network; None for the bundled one.
        done: called after each graph.
        rates: frames a second.
        sentences: how many the signer signs; about 4 seconds each.

    Returns:
        by rate: ``partial_ms_p50`` and ``partial_ms_p95`` (from the capture of the frame that
        brought a partial result to its arrival), ``final_extra_ms_p50`` and ``_p95`` (the same of
        the frame with which an endpoint's waiting time is over), ``features_ms_p50`` and ``_p95``
        (from capture to the features' arrival: what of it comes before recognition),
        ``cpu_percent`` of one core and ``cpu_percent_by_node``, ``rss_mb`` by node, ``frames``
        sent and ``lost`` on the way, results (``partials``, ``finals``) and ``unmatched`` ones,
        which are in no figure; ``pipeline``: the same for the graph in one process. A time is
        None where no result came.

    Raises:
        WhisperSignError: the model cannot be used, or a node failed.
    """
    model = model or DEMO_MODEL
    read_metadata(model)
    figures: dict[str, Any] = {}
    for rate in rates:
        with TemporaryDirectory(prefix="whispersign-") as folder:
            recording = _signing(rate, sentences)
            write_bag(Path(folder) / "signing", recording)
            source = {"bag": str(Path(folder) / "signing")}
            apart: dict[str, dict[str, Any]] = {
                **{executable: {"model": str(model)} for executable in GRAPH},
                "replay_node": {**source, "wait_for": [*GRAPH, LISTENER]},
            }
            together = {**source, "model": str(model), "wait_for": [LISTENER]}
            figures[str(rate)] = _figures(play(apart, recording), model, recording)
            done()
            heard = play({"pipeline": together}, recording)
            figures[str(rate)]["pipeline"] = _figures(heard, model, recording)
            done()
    return figures


def table(figures: Mapping[str, Any]) -> list[str]:
    """Return the figures as a Markdown table."""
    rows = [
        "| frames a second | graph | partial p50, p95 | final extra p50, p95 "
        "| features p50, p95 | CPU of a core | memory | lost |",
        "|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for rate, apart in figures.items():
        for name, found in (("processes", apart), ("pipeline", apart["pipeline"])):
            times = [
                f"{_ms(found[f'{what}_ms_p50'])}, {_ms(found[f'{what}_ms_p95'])} ms"
                for what in ("partial", "final_extra", "features")
            ]
            rows.append(
                f"| {rate} | {name} | {' | '.join(times)} | {found['cpu_percent']:.0f} % "
                f"| {sum(found['rss_mb'].values()):.0f} MB | {found['lost']} of {found['frames']} |"
            )
    nodes = [*GRAPH, "replay_node"]
    rows += [
        "",
        "| frames a second | " + " | ".join(f"{node}" for node in nodes) + " |",
        "|---:" * (len(nodes) + 1) + "|",
    ]
    for rate, apart in figures.items():
        cells = [
            f"{apart['cpu_percent_by_node'][node]:.1f} %, {apart['rss_mb'][node]:.0f} MB"
            for node in nodes
        ]
        rows.append(f"| {rate} | {' | '.join(cells)} |")
    return rows


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _signing(rate: int, sentences: int) -> Recording:
    """Random sentences before a Leap Motion; the hands leave the view between them."""
    signer = Signer(SEED, sensor=SensorModel.named("leap", float(rate)))
    glosses = np.random.default_rng(SEED).choice(signer.lexicon.glosses, (sentences, LENGTH))
    return signer.sign_sentences(glosses.tolist(), tail=TAIL)


@dataclass(frozen=True)
class Heard:
    """What came out of a graph.

    Attributes:
        results: partial and final ones with the nanoseconds of their arrival, in order of arrival.
        features: sequence, stamp, arrival in nanoseconds and ``(42, 7)`` features of each step.
        received: by node, the messages that it has taken.
        begin, end: what the processes had used before and after the steady part.
        watched: seconds of signing between the two.
    """

    results: list[tuple[Key, int]]
    features: list[tuple[int, int, int, NDArray[np.float32]]]
    received: dict[str, int]
    begin: Usage
    end: Usage
    watched: float

    @property
    def cpu_percent(self) -> dict[str, float]:
        """By process, the share of one core that it takes to keep up with the signing.

        On a machine that is too busy to keep up it is what keeping up would take.
        """
        return {
            name: 100 * (seconds - self.begin.processor[name]) / self.watched
            for name, seconds in self.end.processor.items()
        }


def play(
    executables: Mapping[str, dict[str, Any]],
    recording: Recording,
    make_listener: Callable[[], Listener] | None = None,
) -> Heard:
    """Start executables, the source last, and listen until it has ended and all is out.

    Args:
        executables: parameters of each.
        recording: that the source plays.
        make_listener: makes the one who listens, once ROS is there.
    """
    isolate(os.environ)
    source = list(executables)[-1]
    settings = {"wait_timeout": START_LIMIT}
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        listener = (make_listener or Listener)()
        with Children() as children:
            for executable, parameters in executables.items():
                extra = settings if executable == source else {}
                children.start(executable, {**parameters, **extra})
            usage = _listen(listener, children, source, recording)
        listener.destroy_node()
    finally:
        rclpy.shutdown()
    return Heard(listener.results, listener.features, listener.received, *usage)


def _listen(
    listener: Listener, children: Children, source: str, recording: Recording
) -> tuple[Usage, Usage, float]:
    """Take what comes to the end; return the usage at both ends of the steady part, its length."""
    moments = [SETTLING, round(recording.duration * NANOSECONDS) - REST]
    usage: list[Usage] = []
    signed: list[int] = []
    deadline = time.monotonic() + START_LIMIT + SLOWEST * recording.duration
    ended = False
    while not ended or time.monotonic() < listener.news + PATIENCE:
        rclpy.spin_once(listener, timeout_sec=SPIN)
        if len(usage) < len(moments) and listener.signed > moments[len(usage)]:
            usage.append(Usage.of(children.pids))
            signed.append(listener.signed)
        children.check()
        if not ended and children.ended(source):
            ended, listener.news = True, time.monotonic()
        if time.monotonic() > deadline:
            raise WhisperSignError("the live graph", "is too slow to be measured")
    if len(usage) < len(moments):
        raise WhisperSignError("the live graph", "gave no features of what was played to it")
    return usage[0], usage[1], (signed[1] - signed[0]) / NANOSECONDS


class Listener(Node):
    """Notes every step of features and every result, with the time of its arrival.

    Attributes:
        results, features, received: see ``Heard``.
        news: when something last came, seconds on a clock that never jumps.
    """

    def __init__(self) -> None:
        super().__init__(LISTENER)
        self.news = time.monotonic()
        self.results: list[tuple[Key, int]] = []
        self.features: list[tuple[int, int, int, NDArray[np.float32]]] = []
        self.received: dict[str, int] = {}
        self._glosses: dict[bool, list[Gloss]] = {False: [], True: []}
        qos.subscribe(self, HandFeatures, "hands/features", qos.FEATURES_INPUT, self._follow)
        qos.subscribe(self, Gloss, "gloss", qos.GLOSS, self._on_gloss)
        qos.subscribe(self, Gloss, "gloss_partial", qos.GLOSS_PARTIAL, self._on_gloss)
        qos.subscribe(self, DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS, self._read)

    @property
    def signed(self) -> int:
        """Nanoseconds from the first step to the last."""
        return self.features[-1][1] - self.features[0][1] if self.features else 0

    def arrival(self) -> int:
        """Note that something has come, and return when, nanoseconds."""
        self.news = time.monotonic()
        return int(self.get_clock().now().nanoseconds)

    def _follow(self, message: HandFeatures) -> None:
        now = self.arrival()
        stamp, features = read_features(message)
        self.features.append((int(message.sequence), stamp, now, features))

    def _on_gloss(self, message: Gloss) -> None:
        """Put the glosses of a result together; it has come when its last one has."""
        now = self.arrival()
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

    def _read(self, message: DiagnosticArray) -> None:
        for status in message.status:
            counts = [int(pair.value) for pair in status.values if pair.key == "received"]
            name = status.name.lstrip("/")
            if counts and counts[0] != self.received.get(name):
                self.received[name] = counts[0]
                self.news = time.monotonic()


def _figures(heard: Heard, model: Path, recording: Recording) -> dict[str, Any]:
    """Turn what was heard into figures."""
    brought: dict[Key, list[int]] = defaultdict(list)
    expected = 0
    for result in recognised(heard, model):
        if result.glosses:
            brought[_key(result)].append(result.stamp)
            expected += 1
    delays: dict[bool, list[float]] = {False: [], True: []}
    for key, arrival in heard.results:
        if brought[key]:
            delays[key[0]].append((arrival - brought[key].pop(0)) / MS)
    features = [(arrival - stamp) / MS for _, stamp, arrival, _ in heard.features]
    cpu = heard.cpu_percent
    matched = sum(map(len, delays.values()))
    return {
        **quantiles("partial", delays[False]),
        **quantiles("final_extra", delays[True]),
        **quantiles("features", features),
        "cpu_percent": round(sum(cpu.values()), 1),
        "cpu_percent_by_node": {node: round(share, 1) for node, share in cpu.items()},
        "rss_mb": {node: round(mb, 1) for node, mb in heard.end.resident_mb.items()},
        "frames": len(recording),
        "lost": _lost(heard, len(recording)),
        "partials": len(delays[False]),
        "finals": len(delays[True]),
        "unmatched": expected + len(heard.results) - 2 * matched,
    }


def recognised(heard: Heard, model: Path) -> Iterator[Result]:
    """Recognise what was heard once more, as recognition_node did."""
    metadata = read_metadata(model)
    recognizer = StreamingRecognizer(
        load_backend(model, "auto", 1),
        metadata.glosses,
        RecognizerOptions(),
        metadata.recipe.rate,
        metadata.confidence,
    )
    for sequence, stamp, _, features in heard.features:
        if sequence == 0:
            yield from recognizer.finish()
        yield from recognizer.push(features[None], [stamp])


def _key(result: Result) -> Key:
    spans = tuple((gloss.gloss_id, gloss.start, gloss.end) for gloss in result.glosses)
    return result.final, result.utterance_id, spans


def _lost(heard: Heard, sent: int) -> int:
    """Frames that did not reach preprocessing, and steps that did not reach recognition."""
    sequences = [sequence for sequence, *_ in heard.features]
    lasts = [last for last, after in pairwise([*sequences, 0]) if after <= last]
    frames = sent - heard.received.get("preprocessing_node", 0)
    steps = sum(last + 1 for last in lasts) - heard.received.get("recognition_node", 0)
    return frames + steps


def quantiles(name: str, values: Sequence[float]) -> dict[str, float | None]:
    """Return the median and the 95th percentile under their names; None without values."""
    return {
        f"{name}_ms_p{percent}": round(float(np.percentile(values, percent)), 1) if values else None
        for percent in (50, 95)
    }
