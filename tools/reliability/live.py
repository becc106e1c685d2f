# SPDX-License-Identifier: MIT
"""The live graph as processes with a synthetic signer as its source, for fault injection."""

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reliability.feed import Feed, as_it_is
from whispersign_model.recordings.recording import Recording
from whispersign_model.timestamps import NANOSECONDS
from whispersign_ros.graph.monitor import (
    EVENT_LIMIT,
    START_LIMIT,
    GraphMonitor,
    Report,
    TimedGloss,
    monitored,
)
from whispersign_ros.node.entry_points import GRAPH, PLAYBACK

DRAIN_TIME = 5.0  # seconds until the queues are empty
NEAR = NANOSECONDS // 2  # tolerance between the times of a sign and its gloss
# Log message of each node when it is ready.
READY = {
    "recognition_node": "recognizing",
    "preprocessing_node": "preprocessing for",
    "smoothing_node": "smoothing:",
    "command_node": "commands from",
    "synthetic_node": "",
    "reliability.robot": "listens",
    "reliability.signer": "sends",
    "reliability.intruder": "ready",
    "reliability.launched": "commands from",
    "reliability.relay": "ready",
    "reliability.failing_network": "recognizing",
    "reliability.hidden_recognition": "recognizing",
    "reliability.hidden_preprocessing": "preprocessing for",
}


class BrokenError(Exception):
    """A promise was broken; the message says which."""


class LiveGraph:
    """Nodes as child processes, with their monitor and a feed as their source.

    Attributes:
        monitor, children, feed: its parts; ``feed`` is None if a node is the source.
        until, spin: methods of the monitor.
        offset: nanoseconds by which frame stamps lead the host's clock.

    Args:
        monitor: starts the nodes.
        nodes: executables and their parameters, in start order.
        takes: recordings for the feed; empty if a node is the source.
    """

    def __init__(
        self,
        monitor: GraphMonitor,
        nodes: Mapping[str, Mapping[str, Any]],
        takes: Sequence[Recording] = (),
    ) -> None:
        self.monitor = monitor
        self.children = monitor.children
        self.until, self.spin = monitor.until, monitor.spin
        self.offset = 0
        self._nodes = nodes
        self.feed = Feed(monitor, takes, self.now) if takes else None
        for executable in nodes:
            self.start(executable)

    def now(self) -> int:
        """Return the time for frame stamps, nanoseconds."""
        return time.time_ns() + self.offset

    def start(self, executable: str) -> None:
        """Start or restart a node with its parameters."""
        self.children.start(executable, self._nodes[executable])

    def begin(self) -> None:
        """Wait until all nodes are ready, start the feed, and wait for a gloss.

        Raises:
            WhisperSignError: the graph does not start.
        """
        for executable in self._nodes:
            self.ready(executable, START_LIMIT)
        self.source().resume()
        self.until(lambda: self.monitor.finals, "the first gloss", START_LIMIT)

    def source(self) -> Feed:
        """Return the feed; fails if the graph has none."""
        assert self.feed is not None
        return self.feed

    def ready(self, executable: str, limit: float = EVENT_LIMIT) -> None:
        """Wait until a node logs that it is ready."""
        text, log = READY[executable], self.children.log
        self.until(lambda: text in log(executable), f"the start of {executable}", limit)

    def receives(self, executable: str) -> None:
        """Wait until a node reports more input, or its first input since a restart."""
        begin, before = time.monotonic(), self._report(executable).received

        def received() -> bool:
            report = self._report(executable)
            return report.arrival > begin and report.received not in (0, before)

        self.until(received, f"input of {executable}")

    def _report(self, executable: str) -> Report:
        return self.monitor.reports.get(executable, Report())

    def mid_sign(self) -> TimedGloss:
        """Wait for the middle of a sign, so that the fault occurs while every node is busy."""
        feed = self.source()

        def half() -> bool:
            sign = feed.sign
            return sign is not None and self.now() > (sign.start + sign.end) / 2

        self.until(half, "a sign")
        sign = feed.sign
        return sign if sign is not None else self.mid_sign()

    def again(self) -> float:
        """Start another sign; return the seconds until a sign started since then is recognized.

        A partial gloss counts, because a stop acts on it.

        Raises:
            GraphTimeoutError: no such sign is recognized.
        """
        feed = self.source()
        before, made = self.now(), len(feed.signed)
        feed.sign_anew()

        def one() -> bool:
            begun = [*feed.signed[made:], *([feed.sign] if feed.sign else [])]
            return any(sign.start >= before and self.recognised(sign) for sign in begun)

        return self.until(one, "a gloss after recovery")

    def recognised(self, sign: TimedGloss | None, finals_only: bool = False) -> bool:
        """Return whether the graph has published a gloss for a sign."""
        glosses = [*self.monitor.finals, *(() if finals_only else self.monitor.partials)]
        return sign is not None and any(_same(sign, each) for each in glosses)

    def unrecognised(self, since: float) -> list[TimedGloss]:
        """Return the signs since a time (``time.monotonic()``) that have no final gloss."""
        made = [sign for sign in self.source().signed if sign.arrival >= since]
        return [sign for sign in made if not self.recognised(sign, finals_only=True)]

    def kill(self, executable: str) -> None:
        """Kill a node, as the kernel does when memory runs out."""
        self.children.end(executable, signal.SIGKILL)

    @contextmanager
    def stopped(self, executable: str) -> Iterator[None]:
        """Suspend a process within the block."""
        self.children.send(executable, signal.SIGSTOP)
        try:
            yield
        finally:
            self.children.send(executable, signal.SIGCONT)

    def recover(self) -> None:
        """Restore the graph after a failed scenario."""
        feed = self.source()
        for executable in self.children.pids.keys() - self._nodes.keys():  # a scenario's own
            self.children.end(executable)
        feed.corrupt = as_it_is
        for executable in self._nodes:
            if not self.children.running(executable):
                self.start(executable)
                self.ready(executable, START_LIMIT)
        feed.resume()
        self.spin(DRAIN_TIME)

    def drops(self) -> dict[str, dict[str, int]]:
        """Return the losses reported so far, by node and cause."""
        return {node: report.drops for node, report in self.monitor.reports.items()}


def nodes(model: Path, playback: bool = False, **everywhere: Any) -> dict[str, dict[str, Any]]:
    """Return the graph's nodes with their parameters, including ``command_node``.

    Args:
        model: the network.
        playback: the source is a recording, of which nothing may be skipped.
        everywhere: parameters of all nodes.
    """
    shared = {**everywhere, **(PLAYBACK if playback else {})}
    with_model = {name: {"model": str(model), **shared} for name in GRAPH}
    return {**with_model, "command_node": dict(shared)}


@contextmanager
def live_graph(
    nodes: Mapping[str, Mapping[str, Any]], takes: Sequence[Recording] = ()
) -> Iterator[LiveGraph]:
    """Yield an isolated graph that ends with the block; arguments as for ``LiveGraph``."""
    with monitored() as monitor:
        graph = LiveGraph(monitor, nodes, takes)
        try:
            yield graph
        finally:
            if graph.feed is not None:
                graph.feed.close()


def _same(sign: TimedGloss, gloss: TimedGloss) -> bool:
    apart = gloss.end < sign.start - NEAR or gloss.start > sign.end + NEAR
    return sign.gloss == gloss.gloss and not apart
