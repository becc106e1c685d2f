# SPDX-License-Identifier: MIT
"""Drive demo: drive a simulated robot by signs, through the live graph."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.parameter import Parameter

from whispersign_model.errors import WhisperSignError
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.recordings.atomic import replace_file
from whispersign_model.recordings.bags.bag import write_bag
from whispersign_model.recordings.bags.files import find_bags
from whispersign_model.recordings.recording import Recording
from whispersign_model.synthesis.signer import Signer
from whispersign_model.temporary import temporary_folder
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import HandFrame
from whispersign_ros.commands.commands_file import CommandsFile, read_commands
from whispersign_ros.commands.message_builder import build_messages
from whispersign_ros.commands.schema import (
    TWIST_STAMPED,
    VELOCITY_TYPES,
    Command,
    Commands,
    Publish,
)
from whispersign_ros.commands.state_machine import State
from whispersign_ros.demo import expected_commands as rules
from whispersign_ros.demo.expected_commands import PAUSE, Event
from whispersign_ros.demo.graph_demo import EXIT_WRONG, read_labelled
from whispersign_ros.demo.trajectory_plot import Mark, draw, text_map
from whispersign_ros.graph.monitor import MONITOR, START_LIMIT, GraphMonitor, monitored
from whispersign_ros.node.entry_points import GRAPH, PLAYBACK
from whispersign_ros.nodes.robot_node import RobotNode
from whispersign_ros.simulation.unicycle import Unicycle

TAIL = 2.5  # seconds without hands at the end of the signing
# The limits are generous, so that a command does not end when signs are late on a busy machine.
TIMEOUTS = {"input_timeout": 10.0, "max_age": 0.0}
MIN_DISTANCE, MIN_TURN = 0.01, math.radians(1)  # minimum motion in meters and radians


@dataclass(frozen=True)
class DriveOptions:
    """Options of ``whispersign demo --drive``.

    Attributes:
        model: checkpoint.
        commands: commands file.
        bags: annotated bags; if empty, a synthetic signer signs ``glosses``.
        glosses: signs of the synthetic signer; the hands leave the view after each.
        signer: seed of the synthetic signer.
        picture: output file for a plot of the robot's trajectory, or None.
        domain: ROS domain id; None chooses a free one.
        verbose: show the nodes' logs.
        json: output file for the robot's events, or None.
    """

    model: Path
    commands: Path
    bags: tuple[Path, ...]
    glosses: tuple[str, ...]
    signer: int
    picture: Path | None = None
    domain: int | None = None
    verbose: bool = False
    json: Path | None = None


@dataclass(frozen=True)
class Leg:
    """The robot's motion between two events.

    Attributes:
        event: the event that starts the leg.
        begin: start time in seconds on the robot's clock.
        distance: meters driven; negative if backwards.
        turn: radians, counterclockwise.
    """

    event: Event
    begin: float
    distance: float
    turn: float

    def __str__(self) -> str:
        words = []
        if abs(self.distance) >= MIN_DISTANCE:
            words.append(
                f"{abs(self.distance):.2f} m {'ahead' if self.distance > 0 else 'backwards'}"
            )
        if abs(self.turn) >= MIN_TURN:
            side = "left" if self.turn > 0 else "right"
            words.append(f"{abs(math.degrees(self.turn)):.0f} degrees to the {side}")
        return ", ".join(words) or "stands"


def drive(options: DriveOptions) -> int:
    """Drive a robot by signs; return 0 if it followed every sign, else 1.

    Raises:
        WhisperSignError: a file or option is invalid, or a node failed.
    """
    metadata = read_metadata(options.model)
    file = read_commands(options.commands)
    file.check_glosses(metadata.glosses)
    build_messages(file)
    base = _base(file, options.commands)
    with _recordings(options) as (bags, recordings):
        signed = [gloss for recording in recordings for gloss in recording.glosses]
        seconds = sum(recording.duration for recording in recordings)
        print(
            f"signing {' '.join(signed)} ({seconds:.1f} s) to the live graph, "
            f"model {metadata.model_id}, commands {options.commands.name}",
            flush=True,
        )
        driven = _play(options, bags, recordings, base)
    wanted = rules.expected(file.commands, recordings)
    legs = driven.legs()
    right = _report(wanted, legs, driven.robot, file.commands)
    marks = [Mark(str(leg.event), driven.robot.at(leg.begin), leg.event.begins) for leg in legs]
    trajectory = list(driven.robot.trajectory)
    for line in text_map(trajectory, marks):
        print(line)
    if options.picture is not None:
        draw(options.picture, trajectory, marks, " ".join(signed))
        print(f"{options.picture}: the trajectory of the robot")
    if options.json is not None:
        _write(options.json, signed, wanted, legs, right)
    print("the robot did what was signed" if right else "the robot did NOT do what was signed")
    return 0 if right else EXIT_WRONG


def _base(file: CommandsFile, path: Path) -> Publish:
    """Return a message that drives the base, from which topic and type follow.

    Raises:
        WhisperSignError: the commands drive no base, or several bases.
    """
    actions = [action for _, action in file.commands.placed_actions()]
    moving = [each for each in actions if isinstance(each, Publish) and each.type in VELOCITY_TYPES]
    topics = sorted({each.topic for each in moving})
    if len(topics) != 1:
        fault = f"drives several robots ({', '.join(topics)})" if topics else "drives no robot"
        remedy = "publish geometry_msgs/msg/Twist or TwistStamped on one topic"
        raise WhisperSignError(path, fault, remedy)
    return moving[0]


@contextmanager
def _recordings(options: DriveOptions) -> Iterator[tuple[list[Path], list[Recording]]]:
    """Yield the bags to play and their recordings."""
    if options.bags:
        bags = find_bags(options.bags)
        yield bags, read_labelled(bags)
        return
    signer = Signer(options.signer)
    recording = signer.sign_sentences([[gloss] for gloss in options.glosses], tail=TAIL)
    with temporary_folder() as folder:
        write_bag(folder / "signing", recording)
        yield [folder / "signing"], [recording]


def _play(
    options: DriveOptions, bags: Sequence[Path], recordings: Sequence[Recording], base: Publish
) -> DriveMonitor:
    """Play the bags through the graph, which drives a simulated robot."""
    with monitored(options.domain, options.verbose) as monitor:
        node = RobotNode(
            cli_args=["--ros-args", "-r", f"cmd_vel:={base.topic}"],
            parameter_overrides=[Parameter("stamped", value=base.type == TWIST_STAMPED)],
        )
        monitor.executor.add_node(node)
        driven = DriveMonitor(monitor, node.robot)
        children = monitor.children
        for executable in GRAPH:
            children.start(executable, {"model": str(options.model), **PLAYBACK})
        children.start("command_node", {"commands_file": str(options.commands), **TIMEOUTS})
        children.start(
            "replay_node",
            {
                "bag": [str(bag) for bag in bags],
                "wait_for": [*GRAPH, "command_node", MONITOR],
                "wait_timeout": START_LIMIT,
                "pause": PAUSE / NANOSECONDS,
            },
        )
        monitor.wait_until_played("replay_node", recordings, driven.idle)
        node.robot.advance(time.monotonic())
    return driven


class DriveMonitor:
    """Prints each change of the active command, and records its time.

    Attributes:
        robot: the robot that the commands drive.

    Args:
        monitor: subscribes to the graph.
        robot: the simulated robot.
    """

    def __init__(self, monitor: GraphMonitor, robot: Unicycle) -> None:
        self.robot = robot
        self._monitor = monitor
        self._events: list[tuple[float, Event]] = []
        self._last: State | None = None
        self._origin: float | None = None  # arrival of the first frame, seconds
        monitor.subscribe("hands/raw", self._on_hands)
        monitor.subscribe("command_state", self._on_command_state)

    def idle(self) -> bool:
        """Return whether no command is active."""
        return self._last is not None and not self._last.active

    def legs(self) -> list[Leg]:
        """Return the robot's motion between events."""
        ends = [begin for begin, _ in self._events[1:]] + [math.inf]
        return [
            Leg(event, begin, *self.robot.between(begin, end))
            for (begin, event), end in zip(self._events, ends)
        ]

    def _on_hands(self, _: HandFrame) -> None:
        if self._origin is None:
            self._origin = time.monotonic()

    def _on_command_state(self, message: DiagnosticStatus) -> None:
        now = time.monotonic()
        state = _state(message)
        last, self._last = self._last, state
        for event in rules.changes(last, state) if last is not None else ():
            if self._monitor.source_ended and not event.begins and " " in event.name:
                continue  # a held command times out after the recordings end
            self._events.append((now, event))
            self.robot.advance(now)
            what = f"does {event.name}" if event.begins else f"is stopped: {event.name}"
            print(f"{now - (self._origin or now):7.2f} s  the robot {what}", flush=True)


def _state(message: DiagnosticStatus) -> State:
    values = {pair.key: pair.value for pair in message.values}
    armed = values.pop("armed") == "true"
    return State(armed=armed, **values)


def _report(
    wanted: Sequence[Event], legs: Sequence[Leg], robot: Unicycle, commands: Commands
) -> bool:
    """Print the expected and actual events; return whether they agree."""
    commanded = [leg.event for leg in legs]
    print(f"expected:  {' '.join(map(str, wanted)) or '(nothing)'}")
    print(f"commanded: {' '.join(map(str, commanded)) or '(nothing)'}")
    right = commanded == list(wanted)
    known = {command.name: command for command in commands.commands}
    for number, leg in enumerate(legs):
        moved = not leg.event.begins or _as_commanded(leg, known[leg.event.name])
        right &= moved
        print(
            f"{number % 9 + 1:3} {leg.event!s:<12} {leg}{'' if moved else '  (not as commanded)'}"
        )
    if not robot.stopped:
        right = False
        print("    no command stopped the robot at the end")
    return right


def _as_commanded(leg: Leg, command: Command) -> bool:
    """Return whether the robot moved as commanded, or the command does not move the base."""
    message = rules.drives(command)
    if message is None:
        return True
    linear, angular = rules.speeds(message)
    ahead = leg.distance * math.copysign(1, linear) >= MIN_DISTANCE or not linear
    turned = leg.turn * math.copysign(1, angular) >= MIN_TURN or not angular
    return ahead and turned


def _write(
    path: Path, signed: Sequence[str], wanted: Sequence[Event], legs: Sequence[Leg], right: bool
) -> None:
    content = {
        "signed": list(signed),
        "expected": [str(event) for event in wanted],
        "legs": [
            {
                "event": str(leg.event),
                "distance_m": round(leg.distance, 3),
                "turn_degrees": round(math.degrees(leg.turn), 1),
            }
            for leg in legs
        ],
        "right": right,
    }
    replace_file(path, json.dumps(content, indent=1).encode())
