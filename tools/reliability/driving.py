# SPDX-License-Identifier: MIT
"""A graph in which signs drive a robot, and how soon the robot stands still after a fault."""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from time import monotonic
from typing import Any

from std_msgs.msg import String

from reliability.live import BrokenError, LiveGraph, nodes
from reliability.robot import BASE_TIMEOUT, Robot, Tail, velocity
from reliability.signer import Signed, signed, write_takes
from whispersign_ros.graph.monitor import START_LIMIT, GraphTimeoutError, monitored

STILL = 1.0  # seconds after missing evidence, or after the last frame of a STOP, to standstill
STOP_LIMIT = 0.5  # seconds after the signal that ends command_node until its stop arrives
AGAIN = 5.0  # seconds after a fault within which a new sign drives again
WATCH = 0.5  # seconds beyond the limit in which the robot must not move again
SETTLE = 0.5  # the same after the end of a fault
GO_LIMIT = 4.0  # seconds in which a GO that is recognized drives
DRIVE_LIMIT = 40.0  # seconds in which a graph must drive at all
ACCEPTED_FAILURES = 3  # trials that fail until a row ends early
SIGNER, ROBOT = "reliability.signer", "reliability.robot"
GLOSSES = ("GO", "STOP", "HELLO")

Fault = Callable[[], AbstractContextManager[float]]
Lagging = tuple[Fault, float]


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


class DrivingGraph(LiveGraph):
    """The live graph with a signer, a commands file and a robot, each a process of its own.

    Attributes:
        robot: the commands that have reached the base.
        signs: what the signer has signed.
    """

    def __init__(self, *arguments: Any, folder: Path) -> None:
        super().__init__(*arguments)
        self.until = self._until
        self.robot = Robot()
        self.signs: list[Signed] = []
        self.random = random.Random(0)
        self.folder = folder
        self._tails = (
            Tail(folder / "robot", lambda words: self.robot.commands.append(velocity(words))),
            Tail(folder / "signs", lambda words: self.signs.append(signed(words))),
        )
        self._requests = self.monitor.create_publisher(String, "sign", 10)

    def _until(
        self, condition: Callable[[], object], what: str, limit: float = START_LIMIT
    ) -> float:
        """Process messages until a condition holds, as ``GraphMonitor.until`` does."""

        def holds() -> object:
            self.read()
            return condition()

        return self.monitor.until(holds, what, limit)

    def read(self) -> None:
        """Read what the robot and the signer noted."""
        for tail in self._tails:
            tail.read()

    def watch(self, seconds: float) -> float:
        """Process messages for some time; return the end."""
        self.spin(max(0.0, seconds))
        self.read()
        return monotonic()

    def begin(self) -> None:
        """Wait until all nodes are ready and GO drives; then stop.

        Raises:
            WhisperSignError: the graph does not start.
        """
        for executable in self._nodes:
            self.ready(executable, START_LIMIT)
        self.until(lambda: self._requests.get_subscription_count(), "the signer")
        self.drive()
        self.halt()

    def ask(self, request: str) -> None:
        """Send the signer a request."""
        self._requests.publish(String(data=request))

    def sign(self, gloss: str) -> Signed:
        """Sign a gloss after those requested before; return its times as soon as it begins."""
        count = len(self.signs)
        self.ask(gloss)
        self.until(lambda: len(self.signs) > count, f"the signer's {gloss}", DRIVE_LIMIT)
        return self.signs[-1]

    def drive(self, *glosses: str, limit: float = DRIVE_LIMIT) -> float:
        """Sign GO, or other glosses, until the robot moves; return the seconds that took.

        Raises:
            BrokenError: it does not move within ``limit`` seconds.
        """
        if self.moves:
            self.halt()
        begin = monotonic()
        while monotonic() - begin < limit:
            signs = [self.sign(gloss) for gloss in glosses or ("GO",)]
            moved = self._motion_since(signs[-1].start)
            if moved:
                return moved - begin
        raise BrokenError(f"GO does not drive within {limit:g} s")

    def hold(self) -> None:
        """Let GO be held, whether it is already or not."""
        if not self.moves:
            self.drive()

    @property
    def moves(self) -> bool:
        """Whether the robot moves now."""
        now = self.watch(0.0)
        return bool(self.robot.moving(now - BASE_TIMEOUT / 2, now))

    def _motion_since(self, moment: float) -> float | None:
        """Wait a while for the robot to move after a time; return when it did."""
        with suppress(GraphTimeoutError):
            self.until(lambda: self.robot.first_motion(moment), "motion", GO_LIMIT)
        return self.robot.first_motion(moment)

    def halt(self) -> None:
        """Sign STOP until the robot is still."""
        for _ in range(ACCEPTED_FAILURES):
            stop = self.sign("STOP")
            end = self.watch(stop.end + STILL + WATCH - monotonic())
            if not self.robot.moving(end - WATCH, end):
                return

    def restart(self, executable: str, **parameters: Any) -> None:
        """End a node if it still runs, and start it with further parameters."""
        if self.children.running(executable):
            self.children.end(executable)
        self.children.start(executable, {**self._nodes[executable], **parameters})
        self.ready(executable, START_LIMIT)

    def recover(self) -> None:
        """Start what has ended; the robot stands still afterwards."""
        for executable in self._nodes:
            if not self.children.running(executable):
                self.start(executable)
                self.ready(executable, START_LIMIT)
        self.halt()


@contextmanager
def driving_graph(
    model: Path,
    commands: Path,
    folder: Path,
    instead: Mapping[str, str] | None = None,
    **everywhere: Any,
) -> Iterator[DrivingGraph]:
    """Yield a graph that ends with the block.

    Args:
        model: the network.
        commands: commands file.
        folder: an empty folder.
        instead: modules that run in place of executables, by executable.
        everywhere: parameters of all nodes.
    """
    takes = folder / "takes"
    takes.mkdir(parents=True)
    write_takes(model, GLOSSES, takes)
    all_nodes = {
        **{
            (instead or {}).get(name, name): each
            for name, each in nodes(model, **everywhere).items()
        },
        ROBOT: {"out": str(folder / "robot")},
        SIGNER: {"takes": str(takes), "out": str(folder / "signs")},
    }
    all_nodes["command_node"]["commands_file"] = str(commands)
    with monitored() as monitor:
        yield DrivingGraph(monitor, all_nodes, folder=folder)


def stop_trials(
    faults: Sequence[Lagging], evidence: bool, graph: DrivingGraph, effort: Effort
) -> Trials:
    """Sign STOP while a fault lasts, several times.

    Args:
        faults: used in turn; each is a context manager that begins the fault and yields the time of
            its begin, with the seconds that it lasts before STOP is signed.
        evidence: the fault itself must bring the robot to a standstill, too.
        graph: a graph in which nothing is held.
        effort: how many trials.
    """
    trials = Trials()
    missing = again = 0.0
    for fault, lag in islice(cycle(faults), effort.stops):
        took = graph.drive()
        if trials.seconds:  # after a fault
            again = max(again, took + SETTLE)
        graph.watch(graph.random.uniform(0.0, WATCH))
        with fault() as begin:
            graph.watch(lag)
            stop = graph.sign("STOP")
            graph.watch(stop.end + STILL + WATCH - monotonic())
        until = graph.watch(SETTLE)
        seconds = graph.robot.still_from(stop.end, until) - stop.end
        lost = graph.robot.still_from(begin, until) - begin if evidence else 0.0
        missing = max(missing, lost)
        trials.add(seconds, late("STOP", seconds), late("missing evidence", lost))
        if trials.hopeless:
            break
    if len(trials.seconds) > trials.passed:
        again = max(again, graph.drive() + SETTLE)
    return _noted(trials, graph, again, missing)


def evidence_trials(fault: Fault, graph: DrivingGraph, effort: Effort) -> Trials:
    """Take evidence away while GO is held, several times; ``fault`` as for ``stop_trials``."""
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
    if missing:
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
    prefix = [f"NOT AS PROMISED: {wrong}"] if wrong else []
    return ". ".join([*prefix, *trials.notes]) or "as promised"
