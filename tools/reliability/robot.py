# SPDX-License-Identifier: MIT
"""A mobile base as seen from outside: a process that notes velocity commands, and its speed.

The base stops ``BASE_TIMEOUT`` seconds after the last command, as ``simulation.unicycle`` does.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import rclpy
from geometry_msgs.msg import Twist
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from whispersign_ros.node import qos

BASE_TIMEOUT = 0.5  # seconds


@dataclass(frozen=True)
class Velocity:
    """A velocity command.

    Attributes:
        time: when it arrived, ``time.monotonic()``.
        linear: m/s.
        angular: rad/s.
    """

    time: float
    linear: float
    angular: float

    @property
    def moves(self) -> bool:
        """Whether it is anything but a stop; a velocity that is not finite moves."""
        return self.linear != 0 or self.angular != 0


class Robot:
    """The speed of a base over time, from the commands that reached it.

    Attributes:
        commands: in order of arrival.

    Args:
        timeout: seconds without a command until the base stops; ``math.inf`` for a base without
            this rule.
    """

    def __init__(self, timeout: float = BASE_TIMEOUT, commands: Sequence[Velocity] = ()) -> None:
        self.commands = list(commands)
        self._timeout = timeout

    def moving(self, begin: float, end: float) -> list[tuple[float, float]]:
        """Return the times of motion, as pairs of start and end, that overlap ``[begin, end)``."""
        found = []
        for place, command in enumerate(self.commands):
            after = self.commands[place + 1 : place + 2]
            stop = min(after[0].time if after else math.inf, command.time + self._timeout)
            if command.moves and command.time < end and stop > begin:
                found.append((command.time, min(stop, end)))
        return found

    def still_from(self, moment: float, until: float) -> float:
        """Return the first time from which the speed is zero until ``until``.

        Returns ``moment`` if the base does not move after it, and ``math.inf`` if it moves at
        ``until``.
        """
        moving = self.moving(moment, until)
        last = max((stop for _, stop in moving), default=moment)
        return math.inf if last >= until and moving else max(moment, last)

    def first_motion(self, moment: float) -> float | None:
        """Return the time of the first command after a moment that moves; None without one."""
        times = (each.time for each in self.commands if each.time >= moment and each.moves)
        return next(times, None)

    def first_zero(self, moment: float) -> float:
        """Return the time of the first zero command after a moment; ``math.inf`` without one."""
        times = (each.time for each in self.commands if each.time >= moment and not each.moves)
        return next(times, math.inf)


class Tail:
    """Reads the lines that another process appends to a file.

    Args:
        path: the file; it need not exist yet.
        receive: called with the words of each whole line.
    """

    def __init__(self, path: Path, receive: Callable[[list[str]], None]) -> None:
        self._path = path
        self._receive = receive
        self._position = 0

    def read(self) -> None:
        """Read the lines since the last call."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._position)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._position += len(whole)
        for line in whole.decode().splitlines():
            self._receive(line.split())


def velocity(words: Sequence[str]) -> Velocity:
    """Return the command that a line of the process describes."""
    moment, linear, angular = (float(word) for word in words)
    return Velocity(moment, linear, angular)


def main() -> None:
    """Append a line to the file ``out`` for each command until the process ends."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = Node("base", automatically_declare_parameters_from_overrides=True)
    with Path(node.get_parameter("out").value).open("a") as file:

        def receive(message: Twist) -> None:
            now = time.monotonic()
            print(now, message.linear.x, message.angular.z, file=file, flush=True)

        qos.subscribe(node, Twist, "cmd_vel", qos.COMMAND_INPUT, receive)
        print("listens", flush=True)
        rclpy.spin(node)


if __name__ == "__main__":
    main()
