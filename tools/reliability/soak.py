# SPDX-License-Identifier: MIT
"""Soak test: run the live graph in a busy room at 120 Hz; check losses, memory and glosses.

``python -m reliability.soak --minutes 30``, or ``make soak``.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

from reliability.document import write_between
from reliability.scenario import right_share
from whispersign_model.errors import WhisperSignError
from whispersign_model.recordings.atomic import replace_file
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import GlossAnnotation
from whispersign_ros.conversions.messages import nanoseconds
from whispersign_ros.graph.monitor import START_LIMIT, GraphMonitor, TimedGloss, monitored
from whispersign_ros.graph.process_usage import Usage
from whispersign_ros.node.assets import DEMO_MODEL
from whispersign_ros.node.entry_points import GRAPH

EXIT_BROKEN = 1
SOURCE = "reliability.room"
RATE = 120.0  # frames per second
LONGEST_REST, REST = 180.0, 0.1  # seconds that a visitor rests: a share of the run, at most
WARM_UP = 0.1  # share of the run in which caches and the heap grow
WINDOW = 300.0  # seconds of signing compared at the start and end; at most half the run
SAMPLE_PERIOD = 5.0  # seconds between two samples of the processes
PROGRESS_PERIOD = 60.0  # seconds between two progress lines
DRAIN_TIME = 6.0  # seconds after the last frame in which glosses and diagnostics may arrive
STREAM = ("frames_", "steps_", "joints_", "utterances_")  # prefixes of the loss counters
MAX_GROWTH = 5.0  # MB
MAX_DECAY = 0.05  # by which the accuracy may drop at the end

Span = tuple[int, int]  # capture times, nanoseconds


@dataclass(frozen=True)
class Sample:
    """Usage of the processes at one time, in seconds since the signing began."""

    at: float
    usage: Usage


@dataclass(frozen=True)
class Figures:
    """Results of a soak test.

    Attributes:
        minutes: duration of the signing.
        frames: received by smoothing_node.
        missed: frames and steps lost or late, by node and cause.
        growth_mb: increase in resident memory by node: median of the last tenth of the run minus
            that of the tenth after the warm-up.
        resident_mb: resident memory at the end, by node.
        cpu_percent: share of one core by node, after the warm-up.
        right_first, right_last: gloss accuracy in the first and last ``window`` seconds.
        signs: number of signs.
        rests: seconds of the completed rests, in order.
        rest_glosses: glosses recognized while a hand rested.
        last_gloss: seconds from the end of the last recognized sign to the last frame.
        load: mean number of processes that ran or waited for a core on this machine.
        cores: number of cores of this machine.
    """

    minutes: float
    frames: int
    missed: dict[str, dict[str, int]]
    growth_mb: dict[str, float]
    resident_mb: dict[str, float]
    cpu_percent: dict[str, float]
    window: float
    right_first: float
    right_last: float
    signs: int
    rests: list[float]
    rest_glosses: list[str]
    last_gloss: float
    load: float
    cores: int

    @property
    def broken(self) -> list[str]:
        """The broken promises, one line each."""
        lines = [
            f"{node} missed {causes}"
            for node, causes in self.missed.items()
            if any(causes.values())
        ]
        lines += [
            f"{node} grew by {grown:.1f} MB"
            for node, grown in self.growth_mb.items()
            if grown > MAX_GROWTH
        ]
        if self.right_last < self.right_first - MAX_DECAY:
            lines.append(f"glosses right: {self.right_first:.1%}, then {self.right_last:.1%}")
        if self.rest_glosses:
            lines.append(f"a resting hand made the glosses {', '.join(self.rest_glosses)}")
        return lines


def soak(minutes: float, model: Path) -> Figures:
    """Run and measure the whole graph before a room of synthetic visitors.

    Args:
        minutes: duration of the signing.
        model: checkpoint or exported network.

    Raises:
        WhisperSignError: a node ended.
    """
    with monitored() as monitor:
        for executable in GRAPH:
            monitor.children.start(executable, {"model": str(model)})
        monitor.children.start("command_node", {})
        source = {"frame_rate": RATE, "rest": min(LONGEST_REST, REST * 60 * minutes)}
        waits = {"wait_for": list(GRAPH), "wait_timeout": START_LIMIT}
        rests: list[Span] = []
        monitor.subscribe("annotation", partial(_note_rest, rests))
        monitor.children.start(SOURCE, {**source, **waits})
        samples, loads = _sample(monitor, 60 * minutes)
    return figures(monitor, rests, samples, loads, minutes)


def _note_rest(rests: list[Span], message: GlossAnnotation) -> None:
    if not message.glosses:
        rests.append((nanoseconds(message.start_time), nanoseconds(message.end_time)))


def _sample(monitor: GraphMonitor, seconds: float) -> tuple[list[Sample], list[float]]:
    """Sample usage and load until the time is over, stop the source, and drain the graph."""
    monitor.until(lambda: monitor.annotated, "the first sign", START_LIMIT)
    children = monitor.children
    begin = reported = time.monotonic()
    samples, loads = [Sample(0.0, Usage.of(children.pids))], [os.getloadavg()[0]]
    while samples[-1].at < seconds:
        monitor.spin(SAMPLE_PERIOD)
        samples.append(Sample(time.monotonic() - begin, Usage.of(children.pids)))
        loads.append(os.getloadavg()[0])
        if time.monotonic() - reported >= PROGRESS_PERIOD:
            reported = time.monotonic()
            print(_progress(monitor, samples), file=sys.stderr, flush=True)
    children.end(SOURCE)
    monitor.spin(DRAIN_TIME)
    return samples, loads


def _progress(monitor: GraphMonitor, samples: Sequence[Sample]) -> str:
    resident = ", ".join(f"{k} {v:.0f}" for k, v in samples[-1].usage.resident_mb.items())
    return (
        f"{samples[-1].at / 60:4.0f} min: {len(monitor.annotated)} signs, "
        f"{len(monitor.finals)} glosses; MB: {resident}"
    )


def figures(
    monitor: GraphMonitor,
    rests: Sequence[Span],
    samples: Sequence[Sample],
    loads: Sequence[float],
    minutes: float,
) -> Figures:
    """Compute the figures of a run.

    Raises:
        WhisperSignError: nothing was signed.
    """
    if not monitor.annotated:
        raise WhisperSignError("the live graph", "received no sign", "try a longer time")
    window = min(WINDOW, 30 * minutes)
    begin, end = monitor.annotated[0].start, monitor.annotated[-1].end
    first, last = begin + window * NANOSECONDS, end - window * NANOSECONDS
    warm, late = (samples[round(share * (len(samples) - 1))] for share in (WARM_UP, 1.0))
    nodes = list(late.usage.resident_mb)
    right = [
        right_share(
            *(
                [sign for sign in signs if low <= _middle(sign) < high]
                for signs in (monitor.annotated, monitor.finals)
            )
        )
        for low, high in ((begin, first), (last, end))
    ]
    ends = [sign.end for sign in monitor.finals]
    return Figures(
        minutes=round(minutes, 1),
        frames=monitor.reports["smoothing_node"].received,
        missed={node: missed for node in monitor.reports if (missed := _missed(monitor, node))},
        growth_mb={node: _growth(samples, node) for node in nodes},
        resident_mb={node: round(late.usage.resident_mb[node], 1) for node in nodes},
        cpu_percent={node: _cpu(warm, late, node) for node in nodes},
        window=window,
        right_first=right[0],
        right_last=right[1],
        signs=len(monitor.annotated),
        rests=[round((stop - start) / NANOSECONDS, 1) for start, stop in rests],
        rest_glosses=[
            sign.gloss
            for sign in monitor.finals
            if any(start <= sign.start < stop for start, stop in rests)
        ],
        last_gloss=(end - max(ends, default=begin)) / NANOSECONDS,
        load=round(sum(loads) / len(loads), 1),
        cores=os.cpu_count() or 1,
    )


def _missed(monitor: GraphMonitor, node: str) -> dict[str, int]:
    """Return a node's stream losses; calls to a missing service do not count."""
    drops = monitor.reports[node].drops.items()
    return {cause: count for cause, count in drops if count and cause.startswith(STREAM)}


def _middle(sign: TimedGloss) -> float:
    return (sign.start + sign.end) / 2


def _growth(samples: Sequence[Sample], node: str) -> float:
    """Return a node's memory growth in MB: median of the last tenth minus that of the second."""
    tenth = max(1, len(samples) // 10)
    early, late = samples[tenth : 2 * tenth], samples[-tenth:]
    before, after = (
        median(sample.usage.resident_mb[node] for sample in part) for part in (early, late)
    )
    return round(after - before, 1)


def _cpu(begin: Sample, end: Sample, node: str) -> float:
    used = end.usage.processor[node] - begin.usage.processor[node]
    return round(100 * used / (end.at - begin.at), 1)


def table(figures: Figures) -> list[str]:
    """Return the figures as Markdown."""
    missed = sum(sum(causes.values()) for causes in figures.missed.values())
    rows = [
        f"{figures.minutes:g} minutes, {figures.frames} frames, {figures.signs} signs; "
        f"load average {figures.load:g} on {figures.cores} cores.",
        "",
        "| guarantee | measured |",
        "|---|---|",
        f"| no frame or step is lost within the graph | {missed} lost |",
        f"| no node grows by more than {MAX_GROWTH:g} MB | at most "
        f"{max(figures.growth_mb.values()):.1f} MB |",
        f"| glosses stay correct | {figures.right_first:.1%} in the first "
        f"{figures.window / 60:g} minutes, {figures.right_last:.1%} in the last; the last "
        f"recognized gloss ended {figures.last_gloss:.1f} s before the last signed one |",
        f"| a resting hand makes no gloss | {len(figures.rest_glosses)} in {len(figures.rests)} "
        f"rests of {sum(figures.rests) / 60:.1f} minutes in all |",
        "",
        "| node | CPU of a core | resident | growth |",
        "|---|---:|---:|---:|",
    ]
    rows += [
        f"| `{node}` | {figures.cpu_percent[node]:.1f} % | {resident:.0f} MB "
        f"| {figures.growth_mb[node]:+.1f} MB |"
        for node, resident in figures.resident_mb.items()
    ]
    return rows


def main(words: Sequence[str] | None = None) -> int:
    """Run the soak; return 0 if every promise holds, 1 if not, 2 for unusable arguments."""
    parser = argparse.ArgumentParser(prog="soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="default: 30")
    parser.add_argument("--model", type=Path, default=DEMO_MODEL, metavar="CKPT")
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="write all figures")
    parser.add_argument(
        "--write", type=Path, metavar="FILE.md", help="write the tables into this document"
    )
    arguments = parser.parse_args(words)
    try:
        if not arguments.minutes > 0:
            raise WhisperSignError("--minutes", f"is {arguments.minutes:g}", "give more than 0")
        found = soak(arguments.minutes, arguments.model)
        if arguments.json:
            content = {**asdict(found), "broken": found.broken}
            replace_file(arguments.json, json.dumps(content, indent=1).encode())
        if arguments.write:
            write_between(arguments.write, "soak", table(found))
    except WhisperSignError as error:
        print(f"soak: error: {error}", file=sys.stderr)
        return 2
    print("\n".join(table(found)))
    for line in found.broken:
        print(f"GUARANTEE BROKEN: {line}", file=sys.stderr)
    return EXIT_BROKEN if found.broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
