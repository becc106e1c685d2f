"""The live graph as processes with a person before it, to be corrupted and watched."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from reliability.feed import Feed, as_it_is
from reliability.watch import RecognizedSign, Watch
from whispersign_model.errors import WhisperSignError
from whispersign_model.recordings.recording import Recording
from whispersign_model.timestamps import NANOSECONDS
from whispersign_ros.demo.graph_demo import SPIN, START_LIMIT
from whispersign_ros.graph.child_processes import Children
from whispersign_ros.node.discovery import isolate
from whispersign_ros.node.entry_points import GRAPH

SETTLING = 5.0  # seconds until what was held up has gone through
LIMIT = 60.0  # seconds after which something is said to happen never
NEAR = NANOSECONDS // 2  # by which the times of a gloss may lie outside those of the sign
# What a node logs when it is whole.
READY = {
    "recognition_node": "recognising",
    "preprocessing_node": "preprocessing for",
    "smoothing_node": "smoothing:",
    "command_node": "commands from",
    "synthetic_node": "",
}


class BrokenError(Exception):
    """A promise that was not kept; the message says which."""


class LiveGraph:
    """Nodes as child processes, a feed before them and a watch behind; for a ``with`` block.

    Attributes:
        children, watch, feed: what it consists of.
        offset: nanoseconds by which the stamps of frames are ahead of the host's clock.

    Args:
        nodes: executables and their parameters, in the order of starting.
        takes: what is signed before the graph; none where one of the nodes is the source.
    """

    def __init__(
        self, nodes: Mapping[str, Mapping[str, Any]], takes: Sequence[Recording] = ()
    ) -> None:
        self.offset = 0
        self._nodes = nodes
        self._takes = takes

    def __enter__(self) -> LiveGraph:
        isolate(os.environ)
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self.watch = Watch()
        self.children = Children()
        self.children.__enter__()
        self._person = Node("person")
        self.feed = Feed(self._person, self._takes, self.now) if self._takes else None
        for executable in self._nodes:
            self.start(executable)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.feed is not None:
            self.feed.close()
        self.children.__exit__(kind, error, trace)
        self._person.destroy_node()
        self.watch.destroy_node()
        rclpy.shutdown()

    def now(self) -> int:
        """Return the time that frames are stamped with, nanoseconds."""
        return time.time_ns() + self.offset

    def start(self, executable: str) -> None:
        """Start a node, (again) with its parameters."""
        self.children.start(executable, self._nodes[executable])

    def spin(self, seconds: float) -> None:
        """Listen for a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            rclpy.spin_once(self.watch, timeout_sec=SPIN)

    def until(self, condition: Callable[[], object], what: str, limit: float = LIMIT) -> float:
        """Listen until a condition holds, and return how many seconds that took.

        Raises:
            BrokenError: it does not within ``limit`` seconds; names ``what`` was waited for.
        """
        begin = time.monotonic()
        while not condition():
            if time.monotonic() - begin > limit:
                raise BrokenError(f"{what}: not within {limit:.0f} s")
            rclpy.spin_once(self.watch, timeout_sec=SPIN / 5)
            self.children.check()
        return time.monotonic() - begin

    def begin(self) -> None:
        """Wait until all nodes are there, begin to sign, and wait for a gloss.

        Raises:
            WhisperSignError: the graph does not come to life.
        """
        try:
            for executable in self._nodes:
                self.ready(executable, START_LIMIT)
            self.people().resume()
            self.until(lambda: self.watch.finals, "the first gloss", START_LIMIT)
        except BrokenError as error:
            raise WhisperSignError("the live graph", str(error)) from error

    def people(self) -> Feed:
        """Return the feed, of a graph that has one."""
        assert self.feed is not None
        return self.feed

    def ready(self, executable: str, limit: float = LIMIT) -> None:
        """Wait until a node has said in its log that it is whole."""
        word = READY[executable]
        said = self.children.said
        self.until(lambda: word in said(executable), f"the start of {executable}", limit)

    def hears(self, executable: str) -> None:
        """Wait until a node reports that input has come since now, or since it was started."""
        begin, before = time.monotonic(), self._received(executable)

        def received() -> bool:
            report = self.watch.reports.get(executable)
            fresh = report is not None and report.at > begin
            return fresh and self._received(executable) not in (0, before)

        self.until(received, f"input of {executable}")

    def _received(self, executable: str) -> int:
        report = self.watch.reports.get(executable)
        return int(report.values["received"]) if report is not None else 0

    def mid_sign(self) -> RecognizedSign:
        """Wait until a sign is half made, so that a fault meets every node at work."""
        feed = self.people()

        def half() -> bool:
            sign = feed.sign
            return sign is not None and self.now() > (sign.start + sign.end) / 2

        self.until(half, "a sign")
        sign = feed.sign
        return sign if sign is not None else self.mid_sign()

    def again(self) -> float:
        """RecognizedSign anew, and return the seconds until a sign begun since is recognised.

        A partial gloss counts: it is what a stop acts upon.

        Raises:
            BrokenError: none is.
        """
        feed = self.people()
        before, made = self.now(), len(feed.signed)
        feed.sign_anew()

        def one() -> bool:
            begun = [*feed.signed[made:], *([feed.sign] if feed.sign else [])]
            return any(sign.start >= before and self.recognised(sign) for sign in begun)

        return self.until(one, "a gloss after recovery")

    def recognised(self, sign: RecognizedSign | None, finals_only: bool = False) -> bool:
        """Tell whether a gloss has come for a sign."""
        heard = [*self.watch.finals] + ([] if finals_only else [*self.watch.partials])
        return sign is not None and any(_same(sign, each) for each in heard)

    def unrecognised(self, since: float) -> list[RecognizedSign]:
        """Return the signs made since then (``time.monotonic()``) that no final gloss came for."""
        made = [sign for sign in self.people().signed if sign.at >= since]
        return [sign for sign in made if not self.recognised(sign, finals_only=True)]

    def kill(self, executable: str) -> None:
        """Kill a node, as the kernel does when memory is short."""
        self.children.end(executable, signal.SIGKILL)

    @contextmanager
    def stopped(self, executable: str) -> Iterator[None]:
        """Give a process no time at all within the block."""
        self.children.send(executable, signal.SIGSTOP)
        try:
            yield
        finally:
            self.children.send(executable, signal.SIGCONT)

    def recover(self) -> None:
        """Make a graph whole that a broken promise has left in pieces."""
        feed = self.people()
        feed.corrupt = as_it_is
        for executable in self._nodes:
            if not self.children.running(executable):
                self.start(executable)
                self.ready(executable, START_LIMIT)
        feed.resume()
        self.spin(SETTLING)

    def drops(self) -> dict[str, dict[str, int]]:
        """Return what the nodes say that they have lost so far, by node and cause."""
        return {node: report.drops for node, report in self.watch.reports.items()}


def nodes(model: Path, **everywhere: Any) -> dict[str, dict[str, Any]]:
    """Return the graph's nodes with their parameters, ``command_node`` among them."""
    with_model = {name: {"model": str(model), **everywhere} for name in GRAPH}
    return {**with_model, "command_node": dict(everywhere)}


def _same(sign: RecognizedSign, heard: RecognizedSign) -> bool:
    apart = heard.end < sign.start - NEAR or heard.start > sign.end + NEAR
    return sign.gloss == heard.gloss and not apart
