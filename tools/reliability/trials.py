# SPDX-License-Identifier: MIT
"""Trials: how soon the robot of a graph stands still after a fault, or after STOP under a fault."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import cycle, islice
from time import monotonic

from reliability.driving import SETTLE, STILL, WATCH, DrivingGraph
from reliability.robot import Robot

STOP_LIMIT = 0.5  # seconds after the signal that ends command_node until its stop arrives
AGAIN = 5.0  # seconds after a fault within which a new sign drives again
ACCEPTED_FAILURES = 3  # trials that fail until a row ends early

Fault = Callable[[], AbstractContextManager[float]]


@dataclass(frozen=True)
class Effort:
    """How often a fault is repeated.

    Attributes:
        stops: trials in which STOP is signed.
        evidence: trials in which evidence goes missing.
        quick: leave out what takes long.
    """

    stops: int = 20
    evidence: int = 3
    quick: bool = False


@dataclass(frozen=True)
class UnderFault:
    """A fault under which STOP is signed.

    Attributes:
        begin: a context manager that begins the fault and yields the time of its begin.
        evidence: the fault takes evidence away, so that the robot must stand still without a STOP.
        lag: seconds that it lasts before STOP is signed.
    """

    begin: Fault
    evidence: bool = False
    lag: float = 0.0


@dataclass
class Trials:
    """The trials of one fault.

    Attributes:
        seconds: to standstill, of each trial.
        faults: what was not as promised, in words.
        passed: number of trials as promised.
        notes: what else happened, in words.
    """

    seconds: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    passed: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, seconds: float, *faults: str) -> None:
        """Add a trial; without faults it passed."""
        self.seconds.append(seconds)
        self.faults += [fault for fault in faults if fault]
        self.passed += not any(faults)

    def judge(self, event: str, robot: Robot, moment: float, until: float) -> None:
        """Add a trial: the robot must be still within ``STILL`` of an event, until ``until``."""
        seconds = robot.still_from(moment, until) - moment
        self.add(seconds, late(event, seconds))

    @property
    def hopeless(self) -> bool:
        """Whether so many trials failed that more would only take time."""
        return len(self.seconds) - self.passed >= ACCEPTED_FAILURES


@dataclass(frozen=True)
class DrivingScenario:
    """One fault of a graph that drives.

    Attributes:
        name: the fault, in words.
        promise: the promise, in words.
        play: runs the trials; takes the graph and the effort.
    """

    name: str
    promise: str
    play: Callable[..., Trials]


def stop_trials(faults: Sequence[UnderFault], graph: DrivingGraph, effort: Effort) -> Trials:
    """Sign STOP while a fault lasts, several times.

    Args:
        faults: used in turn.
        graph: a graph in which nothing is held.
        effort: how many trials.
    """
    trials = Trials()
    missing = again = 0.0
    for fault in islice(cycle(faults), effort.stops):
        took = graph.drive()
        if trials.seconds:  # after a fault
            again = max(again, took + SETTLE)
        graph.watch(graph.random.uniform(0.0, WATCH))
        with fault.begin() as begin:
            graph.watch(fault.lag)
            stop = graph.sign("STOP")
            graph.watch(stop.end + STILL + WATCH - monotonic())
        until = graph.watch(SETTLE)
        seconds = graph.robot.still_from(stop.end, until) - stop.end
        lost = graph.robot.still_from(begin, until) - begin if fault.evidence else 0.0
        missing = max(missing, lost)
        trials.add(seconds, late("STOP", seconds), late("missing evidence", lost))
        if trials.hopeless:
            break
    if len(trials.seconds) > trials.passed:
        again = max(again, graph.drive() + SETTLE)
    return _noted(trials, graph, again, missing)


def evidence_trials(fault: Fault, graph: DrivingGraph, effort: Effort) -> Trials:
    """Take evidence away while GO is held, several times; ``fault`` as in ``UnderFault.begin``."""
    trials = Trials()
    again = 0.0
    for _ in range(effort.evidence):
        graph.drive()
        graph.watch(graph.random.uniform(0.0, WATCH))
        with fault() as begin:
            graph.watch(begin + STILL + WATCH - monotonic())
        until = graph.watch(SETTLE)
        seconds = graph.robot.still_from(begin, until) - begin
        trials.add(seconds, late("missing evidence", seconds))
        if trials.hopeless:
            break
        again = max(again, graph.drive() + SETTLE)
    return _noted(trials, graph, again)


def _noted(trials: Trials, graph: DrivingGraph, again: float, missing: float = 0.0) -> Trials:
    """Add what happened beside the stops, and leave the robot at rest."""
    if 0 < missing < math.inf:
        trials.notes.append(f"still {seconds_text(missing)} after evidence was missing")
    if again:
        trials.notes.append(f"a new GO drives {seconds_text(again)} after the fault")
    if again > AGAIN:
        trials.faults.append(f"a new GO drives only {again:.1f} s after the fault")
    graph.halt()
    return trials


def late(event: str, seconds: float, limit: float = STILL) -> str:
    """Return what is wrong with the seconds from an event to standstill, "" if nothing is."""
    if seconds <= limit:
        return ""
    return f"{event}: {'never' if math.isinf(seconds) else f'{seconds:.1f} s'}"


def seconds_text(seconds: float) -> str:
    """Return seconds as text; ``math.inf`` is "never"."""
    return "never" if math.isinf(seconds) else f"{seconds:.2f} s"


def described(trials: Trials) -> str:
    """Return what happened in the trials, in one line."""
    wrong = "; ".join(dict.fromkeys(trials.faults))
    prefix = [f"GUARANTEE BROKEN: {wrong}"] if wrong else []
    return ". ".join([*prefix, *trials.notes]) or "guarantee holds"
