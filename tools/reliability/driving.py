# SPDX-License-Identifier: MIT
"""A graph in which signs drive a robot."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

from std_msgs.msg import String

from reliability.live import BrokenError, LiveGraph, nodes
from reliability.robot import BASE_TIMEOUT, Robot, Tail, velocity
from reliability.signer import Signed, signed, write_takes
from whispersign_ros.graph.monitor import START_LIMIT, GraphTimeoutError, monitored

STILL = 1.0  # seconds after missing evidence, or after the last frame of a STOP, to standstill
WATCH = 0.5  # seconds beyond the limit in which the robot must not move again
SETTLE = 0.5  # the same after the end of a fault
GO_LIMIT = 2.5  # seconds in which a GO that is recognized drives
REQUESTS, REQUEST_LIMIT = 20, 2.0  # requests to the signer, and seconds until the next
DRIVE_LIMIT = 40.0  # seconds in which a graph must drive at all
STOP_TRIES = 3
SIGNER, ROBOT = "reliability.signer", "reliability.robot"
GLOSSES = ("GO", "STOP", "HELLO")


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
        """Sign a gloss after those requested before; return its times as soon as it begins.

        Raises:
            BrokenError: the signer does not begin.
        """
        count = len(self.signs)

        def begun() -> bool:
            return len(self.signs) > count

        for _ in range(REQUESTS):  # a signer that has just started may miss the first one
            self.ask(gloss)
            with suppress(GraphTimeoutError):
                self.until(begun, "the signer", REQUEST_LIMIT)
                return self.signs[-1]
        raise BrokenError(f"the signer does not sign {gloss}")

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
        for _ in range(STOP_TRIES):
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


def stages(
    model: Path, commands: Path, instead: Mapping[str, str] | None = None, **everywhere: Any
) -> dict[str, dict[str, Any]]:
    """Return the nodes of a graph with their parameters.

    Args:
        model: the network.
        commands: commands file.
        instead: modules that run in place of executables, by executable.
        everywhere: parameters of all nodes.
    """
    found = {
        (instead or {}).get(name, name): each for name, each in nodes(model, **everywhere).items()
    }
    found["command_node"]["commands_file"] = str(commands)
    return found


@contextmanager
def driving_graph(
    model: Path, folder: Path, nodes: Mapping[str, Mapping[str, Any]]
) -> Iterator[DrivingGraph]:
    """Yield a graph with a signer and a robot; it ends with the block.

    Args:
        model: a network that recognizes the signer.
        folder: a folder to create.
        nodes: executables and their parameters, in start order.
    """
    takes = folder / "takes"
    takes.mkdir(parents=True)
    write_takes(model, GLOSSES, takes)
    own = {
        ROBOT: {"out": str(folder / "robot")},
        SIGNER: {"takes": str(takes), "out": str(folder / "signs")},
    }
    with monitored() as monitor:
        yield DrivingGraph(monitor, {**nodes, **own}, folder=folder)
