# SPDX-License-Identifier: MIT
"""Scenarios of a room: hands that rest, signs that are held, the next visitor, slow cameras."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import count, product
from pathlib import Path

import numpy as np
from numpy.random import Generator
from std_msgs.msg import String

from reliability.commands_files import COMMANDED
from reliability.feed import LEAD, RATE, SEED, Spoil, choose_takes
from reliability.live import BrokenError, LiveGraph, live_graph, nodes
from reliability.scenario import WITHIN, Outcome, Scenario, survive
from whispersign_model.benchmarks import situations
from whispersign_model.benchmarks.room import BEGUN, SMALL_NOISE, Listener
from whispersign_model.benchmarks.room_figures import SETTLED
from whispersign_model.features.frame_rate import MIN_FRAME_RATE
from whispersign_model.recordings.recording import Recording, Segment, joined
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import HandFrame
from whispersign_ros.graph.monitor import EVENT_LIMIT, TimedGloss
from whispersign_ros.node.diagnostics import TOO_OLD

REST, NOISE = 60.0, 0.0005  # seconds, and meters of noise in each coordinate
HOLDS, HELD_AT = (2.0, 5.0), (0.5, 1.0)  # seconds, and shares of a sign
SIZES, VISITS = (2.0, 0.5), 3  # hand lengths of the next visitors, and signs of each
ROUNDS = 2  # times that a slow camera sees each take
TOO_SLOW, SLOW_TIME = 5.0, 20.0  # frames per second, and seconds
FINALS = 3.0  # seconds after a recording within which its final glosses arrive
PREPROCESSING = "preprocessing_node"
TOO_FEW = "frames per second are too few to recognize signs"


def scenarios(model: Path, takes: Sequence[Recording]) -> list[Scenario]:
    """Return the scenarios for a graph with a feed, whose commands file is ``every_sign``.

    Args:
        model: the network.
        takes: the recordings of the feed.
    """
    glosses = tuple(take.glosses[0] for take in takes)
    return [
        Scenario(
            f"a hand comes, rests for {REST:g} s with {1000 * NOISE:g} mm of noise, and leaves",
            f"no gloss begins later than {SETTLED:g} s after it has come to rest; nothing is "
            "commanded",
            partial(_rested, model, takes),
        ),
        Scenario(
            f"signs are held for {' and '.join(f'{hold:g}' for hold in HOLDS)} s, half-way and at "
            "the end",
            "each is recognized exactly once",
            partial(_held, model, glosses),
        ),
        Scenario(
            "the next visitors have hands twice and half as large",
            "their signs are recognized as those of a fresh stream",
            partial(_next_visitors, model),
        ),
        Scenario(
            f"the camera falls to {TOO_SLOW:g} frames per second for {SLOW_TIME:g} s",
            "one warning in the log, and on diagnostics while it lasts",
            _too_slow,
        ),
    ]


def slow_camera(model: Path) -> Scenario:
    """Return the scenario with a graph of its own, whose camera is as slow as allowed."""
    return Scenario(
        f"a camera of {MIN_FRAME_RATE:g} frames per second",
        "all signs are recognized, without a warning",
        partial(_slow_camera, model),
    )


def resting(take: Recording, generator: Generator, seconds: float = REST) -> Recording:
    """Return a hand that begins a sign, stops before it, rests, and leaves the way it came.

    The segment without a gloss begins when the hand stops, and ends when it is out of view.
    """
    first = situations.posture(take, 0.0)
    hand, stop = situations.comes_to_rest(take, BEGUN[-1], seconds, NOISE, generator)
    coming = hand.between(int(hand.stamps[0]), stop)
    back = replace(
        coming,
        stamps=coming.stamps[0] + coming.stamps[-1] - coming.stamps[::-1],
        positions=coming.positions[::-1],
        confidence=coming.confidence[::-1],
    )
    leaving = back.starting_at(int(hand.stamps[-1]) + round(NANOSECONDS / RATE))
    away = situations.absent(leaving, LEAD / NANOSECONDS)
    before = situations.part(take, slice(first))
    rest = Segment((), stop, int(leaving.stamps[-1]))
    return replace(joined([before, hand, leaving, away]), segments=(rest,))


def show(graph: LiveGraph, recordings: Sequence[Recording]) -> list[Recording]:
    """Play recordings between two signs of the feed; return them with their capture times.

    Returns when their final glosses have had time to arrive.
    """
    shown = graph.source().shown
    first = len(shown)
    graph.source().show(recordings)
    seconds = EVENT_LIMIT + sum(recording.duration for recording in recordings)
    graph.until(lambda: len(shown) == first + len(recordings), "the recordings", seconds)
    graph.spin(FINALS)
    return shown[first:]


def check_glosses(graph: LiveGraph, recordings: Sequence[Recording]) -> int:
    """Return the number of signs in recordings that were shown.

    Raises:
        BrokenError: the final glosses of a recording are not its signs.
    """
    for recording in recordings:
        found = tuple(gloss.gloss for gloss in glosses_during(graph, recording))
        if found != recording.glosses:
            recognized = " ".join(found) or "nothing"
            raise BrokenError(f"signed {' '.join(recording.glosses)}, recognized {recognized}")
    return sum(len(recording.glosses) for recording in recordings)


def glosses_during(graph: LiveGraph, recording: Recording) -> list[TimedGloss]:
    """Return the final glosses that begin during a recording, in order."""
    start, end = int(recording.stamps[0]), int(recording.stamps[-1])
    found = [gloss for gloss in graph.monitor.finals if start <= gloss.start <= end]
    return sorted(found, key=lambda gloss: gloss.start)


def check_rest(
    visit: Recording, found: Sequence[TimedGloss], commanded: Sequence[int], skipped: int = 0
) -> str:
    """Describe a rest that was kept.

    Args:
        visit: a recording of ``resting`` that was shown.
        found: the final glosses that begin during it.
        commanded: arrival times of all commands, on the clock of the recording.
        skipped: frames and steps skipped as too old; in the new stream after them, the hand comes
            into view again.

    Raises:
        BrokenError: a gloss begins later than ``SETTLED`` after the stop, or something was
            commanded since the stop.
    """
    (rest,) = visit.segments
    settled = rest.start + round(SETTLED * NANOSECONDS)
    late = [gloss.gloss for gloss in found if gloss.start > settled]
    if late:
        cause = f" ({skipped} frames and steps were too old)" if skipped else ""
        raise BrokenError(f"a resting hand made the glosses {', '.join(late)}{cause}")
    if any(rest.start <= at <= int(visit.stamps[-1]) for at in commanded):
        raise BrokenError("a resting hand gave a command")
    return f"{len(found) or 'no'} glosses, nothing commanded"


def _rested(model: Path, takes: Sequence[Recording], graph: LiveGraph) -> Outcome:
    commanded: list[int] = []
    subscription = graph.monitor.create_subscription(
        String, COMMANDED, lambda _: commanded.append(graph.now()), 10
    )
    try:
        hand = resting(_quiet(model, takes), np.random.default_rng(SEED))
        before = too_old(graph)
        (visit,) = show(graph, [hand])
        skipped = too_old(graph) - before
        happened = check_rest(visit, glosses_during(graph, visit), commanded, skipped)
        again = graph.again()
        end = int(visit.stamps[-1])
        graph.until(lambda: commanded and commanded[-1] > end, "a command after the rest")
    finally:
        graph.monitor.destroy_subscription(subscription)
    if again > WITHIN:
        raise BrokenError(f"{happened}; a sign afterwards is recognized only in {again:.1f} s")
    return Outcome(happened, again, "nothing")


def too_old(graph: LiveGraph) -> int:
    """Return how many frames and steps all nodes have skipped as too old."""
    counts = [drops.items() for drops in graph.drops().values()]
    return sum(count for each in counts for cause, count in each if cause.endswith(TOO_OLD))


def _quiet(model: Path, takes: Sequence[Recording]) -> Recording:
    """Return a take of a hand whose coming is no sign to the network."""
    listen = Listener(model)
    for take in takes:
        if not listen(resting(take, np.random.default_rng(SEED), SETTLED)):
            return take
    raise BrokenError("every hand that comes and stops yields a gloss")


def _held(model: Path, glosses: Sequence[str], graph: LiveGraph) -> Outcome:
    generator = np.random.default_rng(SEED)
    takes: list[Recording] = []
    for number, (seconds, share) in enumerate(product(HOLDS, HELD_AT)):
        hold = partial(
            situations.held, share=share, seconds=seconds, noise=SMALL_NOISE, generator=generator
        )
        order = [*glosses[number:], *glosses[:number]]
        takes += choose_takes(model, count=1, glosses=order, change=hold)
    signs = check_glosses(graph, show(graph, takes))
    return Outcome(f"{signs} of {signs} held signs recognized once", None, "nothing")


def _next_visitors(model: Path, graph: LiveGraph) -> Outcome:
    signs = 0
    for size in SIZES:
        resized = partial(situations.scaled, factor=size)
        signs += check_glosses(
            graph, show(graph, choose_takes(model, count=VISITS, change=resized))
        )
    return Outcome(f"{signs} of {signs} signs recognized", None, "nothing")


def _too_slow(graph: LiveGraph) -> Outcome:
    feed = graph.source()
    before = _warnings(graph)

    def fault() -> str:
        feed.corrupt, healthy = every(round(RATE / TOO_SLOW)), feed.corrupt
        graph.spin(SLOW_TIME)
        feed.corrupt = healthy
        report = graph.monitor.reports[PREPROCESSING]
        if TOO_FEW not in report.message:
            raise BrokenError(f"{PREPROCESSING} reported '{report.message}'")
        return f"`{PREPROCESSING}` warned once"

    outcome = survive(graph, fault)
    warned = _warnings(graph) - before
    if warned != 1:
        raise BrokenError(f"{PREPROCESSING} logged {warned} warnings")
    return outcome


def every(number: int) -> Spoil:
    """Return the fault of a camera that delivers one frame in ``number``."""
    numbers = count()

    def corrupt(frame: HandFrame) -> list[HandFrame]:
        return [] if next(numbers) % number else [frame]

    return corrupt


def _warnings(graph: LiveGraph) -> int:
    """Return how often the log says that the camera is too slow."""
    return graph.children.log(PREPROCESSING).count(TOO_FEW)


def _slow_camera(model: Path) -> Outcome:
    seen = partial(
        situations.at_rate, rate=MIN_FRAME_RATE, lost=0.0, generator=np.random.default_rng(SEED)
    )
    takes = choose_takes(model, change=seen)
    with live_graph(nodes(model), takes) as graph:
        graph.begin()
        signs = check_glosses(graph, show(graph, takes * ROUNDS))
        if _warnings(graph):
            raise BrokenError(f"{PREPROCESSING} warned that the camera is too slow")
    return Outcome(f"{signs} of {signs} signs recognized", None, "nothing")
