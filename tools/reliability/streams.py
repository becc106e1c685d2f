# SPDX-License-Identifier: MIT
"""Scenarios with invalid frame streams and unexpected publishers."""

import math
import time
from collections.abc import Iterator
from functools import partial
from itertools import count

import numpy as np

from reliability.feed import Spoil
from reliability.live import BrokenError, LiveGraph
from reliability.scenario import Outcome, Scenario, new_drops, survive
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import HandFrame
from whispersign_ros.conversions.messages import nanoseconds, time_message

MISTYPED = "reliability.mistyped"
SILENCE = 5.0  # seconds
STORM = 3.0  # duration of a corrupted stream in seconds
TIMES = 10  # factor by which a burst multiplies the frames
HOUR = 3600 * NANOSECONDS
LATE = NANOSECONDS // 2
EVERY = 5  # one frame in this many is late
STEP = NANOSECONDS // 2000  # half a millisecond between the frames of a burst
WILD = 60  # one frame in this many comes from the future


def scenarios() -> list[Scenario]:
    """Return the scenarios for a graph with a feed."""
    return [
        Scenario(
            f"the sensor sends nothing for {SILENCE:g} s",
            "diagnostics report it; earlier signs are published",
            _silent,
        ),
        Scenario(
            f"{STORM:g} s of frames in which every joint is NaN, infinite or 1e30 m away",
            "the joints are counted and treated as untracked",
            partial(_corrupted, _not_finite, "smoothing_node", "joints_not_finite", False),
        ),
        Scenario(
            f"a burst: {TIMES} times as many frames for {STORM:g} s",
            "surplus frames are dropped and counted",
            partial(_corrupted, _burst, "smoothing_node", "frames_out_of_order", False),
        ),
        Scenario(
            f"one frame in {EVERY} arrives half a second late, for {STORM:g} s",
            "late frames are dropped and counted; no sign is lost",
            partial(
                _corrupted, _moved(EVERY, -LATE), "smoothing_node", "frames_out_of_order", True
            ),
        ),
        Scenario(
            f"one frame in {WILD} has a stamp an hour ahead, for {STORM:g} s",
            "each such frame starts a new stream, and so does the next one",
            partial(_corrupted, _moved(WILD, HOUR), "", "", False),
        ),
        Scenario(
            "all stamps jump an hour ahead, later an hour back",
            "earlier signs are published at each jump",
            jump_stamps,
        ),
        Scenario(
            "a std_msgs/String publisher on hands/raw",
            "diagnostics report the type; nothing is lost",
            _wrong_type,
        ),
    ]


def _silent(graph: LiveGraph) -> Outcome:
    def fault() -> str:
        begin = time.monotonic()
        graph.source().pause()
        graph.spin(SILENCE)
        said = "no input on /hands/raw"
        if not any(said in words and at > begin for words, at in _warnings(graph)):
            raise BrokenError(f"no node said '{said}'")
        graph.source().resume()
        return f"`smoothing_node` warned: {said}"

    return survive(graph, fault)


def _warnings(graph: LiveGraph) -> list[tuple[str, float]]:
    return [(report.message, report.arrival) for report in graph.monitor.reports.values()]


def _corrupted(corrupt: Spoil, node: str, cause: str, all_kept: bool, graph: LiveGraph) -> Outcome:
    before = graph.drops()
    feed = graph.source()

    def fault() -> str:
        feed.corrupt, healthy = corrupt, feed.corrupt
        graph.spin(STORM)
        feed.corrupt = healthy
        return "the graph kept running"

    outcome = survive(graph, fault, all_kept)
    if not cause:
        return outcome
    graph.spin(1.0)  # until it has reported
    dropped = new_drops(graph, before, node, cause)
    if not dropped:
        raise BrokenError(f"{node} counted no {cause}")
    happened = f"`{node}` counted {dropped} {cause.replace('_', ' ')}"
    return Outcome(happened, outcome.again, outcome.lost)


def _not_finite(frame: HandFrame) -> list[HandFrame]:
    value = (math.nan, math.inf, -math.inf, 1e30)[nanoseconds(frame.header.stamp) % 4]
    frame.left_positions = frame.right_positions = np.full(63, value, np.float32)
    frame.left_confidence = frame.right_confidence = np.ones(21, np.float32)
    frame.left_tracked = frame.right_tracked = True
    return [frame]


def _burst(frame: HandFrame) -> Iterator[HandFrame]:
    first = nanoseconds(frame.header.stamp)
    for place in range(TIMES):  # sent before the next frame is requested
        frame.header.stamp = time_message(first + place * STEP)
        yield frame


def _moved(every: int, by: int) -> Spoil:
    """Shift the stamp of one frame in ``every``."""
    numbers = count(1)

    def corrupt(frame: HandFrame) -> list[HandFrame]:
        if next(numbers) % every == 0:
            frame.header.stamp = time_message(nanoseconds(frame.header.stamp) + by)
        return [frame]

    return corrupt


def jump_stamps(graph: LiveGraph) -> Outcome:
    """Let all stamps jump an hour ahead, and later an hour back."""

    def fault(by: int) -> str:
        graph.offset += by
        return "a new stream started at each jump"

    outcomes = [survive(graph, partial(fault, by)) for by in (HOUR, -HOUR)]
    return max(outcomes, key=lambda outcome: outcome.again or 0.0)


def _wrong_type(graph: LiveGraph) -> Outcome:
    said = "a publisher sends std_msgs/msg/String"

    def warned() -> bool:
        return any(said in words for words, _ in _warnings(graph))

    def fault() -> str:
        graph.children.start(MISTYPED, {})
        graph.until(warned, f"a node that says '{said}'")
        graph.spin(STORM)
        return f"`smoothing_node` warned: {said}"

    try:
        return survive(graph, fault, all_kept=True)
    finally:
        graph.children.end(MISTYPED)
