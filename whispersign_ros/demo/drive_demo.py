"""The demonstration that drives: signs before the live graph move a simulated robot."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from whispersign_model.errors import WhisperSignError
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.recordings.atomic import replace_file
from whispersign_model.recordings.bags.bag import write_bag
from whispersign_model.recordings.bags.files import find_bags
from whispersign_model.recordings.recording import Recording
from whispersign_model.synthesis.signer import Signer
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import HandFrame
from whispersign_ros.commands.message_builder import build
from whispersign_ros.commands.schema import Command, Commands, CommandsFile, Publish, read_commands
from whispersign_ros.commands.state_machine import State
from whispersign_ros.demo.expected_commands import (
    PAUSE,
    TYPES,
    Event,
    changes,
    drives,
    expected,
    speeds,
)
from whispersign_ros.demo.graph_demo import (
    BETWEEN,
    EXIT_WRONG,
    LISTENER,
    SPIN,
    START_LIMIT,
    CompletionTimeout,
    read_labelled,
)
from whispersign_ros.demo.trajectory_plot import Mark, draw, text_map
from whispersign_ros.graph.child_processes import Children
from whispersign_ros.node import qos
from whispersign_ros.node.discovery import isolate
from whispersign_ros.node.entry_points import GRAPH
from whispersign_ros.nodes.robot_node import RobotNode

TAIL = 2.5  # seconds without hands at the end of what is signed
# On a machine that is too busy signs come late, and the robot shall be driven all the same.
PATIENT = {"input_timeout": 10.0, "recognizer_timeout": 20.0, "max_age": 60.0}
LEAST_DISTANCE, LEAST_TURN = 0.01, math.radians(1)  # metres; what counts as moved


@dataclass(frozen=True)
class DriveOptions:
    """What is signed, and to which commands.

    Attributes:
        model: checkpoint.
        commands: commands file.
        bags: annotated bags; empty: ``glosses`` are signed by a made-up person.
        glosses: what that person signs, with the hands away after each.
        signer: which person.
        picture: where to draw the robot's way; None for nowhere.
        domain, verbose, json: as in ``DemoOptions``.
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
    """What the robot did from one event to the next.

    Attributes:
        event: with which it began.
        begin: seconds, on the robot's clock.
        distance: driven, metres; below 0 backwards.
        turn: radians, anticlockwise.
    """

    event: Event
    begin: float
    distance: float
    turn: float

    def __str__(self) -> str:
        words = []
        if abs(self.distance) >= LEAST_DISTANCE:
            words.append(
                f"{abs(self.distance):.2f} m {'ahead' if self.distance > 0 else 'backwards'}"
            )
        if abs(self.turn) >= LEAST_TURN:
            side = "left" if self.turn > 0 else "right"
            words.append(f"{abs(math.degrees(self.turn)):.0f} degrees to the {side}")
        return ", ".join(words) or "stands"


def drive(options: DriveOptions) -> int:
    """Let signs drive a robot; return 0 if it did what was signed, else 1.

    Raises:
        WhisperSignError: a file or option is at fault, or a node failed.
    """
    metadata = read_metadata(options.model)
    file = read_commands(options.commands)
    file.check_glosses(metadata.glosses)
    build(file)
    topic = _base(file, options.commands)
    with _recordings(options) as (bags, recordings):
        signed = [gloss for recording in recordings for gloss in recording.glosses]
        seconds = sum(recording.duration for recording in recordings)
        print(
            f"signing {' '.join(signed)} ({seconds:.1f} s) to the live graph, "
            f"model {metadata.model_id}, commands {options.commands.name}",
            flush=True,
        )
        isolate(os.environ, options.domain)
        with Children(options.verbose) as children:
            witness = _witness(children, options, bags, recordings, topic)
    wanted = expected(file.commands, recordings)
    legs = witness.legs()
    right = _report(wanted, legs, witness, file.commands)
    marks = [Mark(str(leg.event), witness.robot.at(leg.begin), leg.event.begins) for leg in legs]
    way = list(witness.robot.way)
    for line in text_map(way, marks):
        print(line)
    if options.picture is not None:
        draw(options.picture, way, marks, " ".join(signed))
        print(f"{options.picture}: the way of the robot")
    if options.json is not None:
        _write(options.json, signed, wanted, legs, right)
    print("the robot did what was signed" if right else "the robot did NOT do what was signed")
    return 0 if right else EXIT_WRONG


def _base(file: CommandsFile, path: Path) -> Publish:
    """Return a message by which the commands drive a base: its topic and type.

    Raises:
        WhisperSignError: there is none, or there are several bases.
    """
    actions = [action for _, action in file.commands.placed_actions()]
    moving = [each for each in actions if isinstance(each, Publish) and each.type in TYPES]
    topics = sorted({each.topic for each in moving})
    if len(topics) != 1:
        fault = f"drives several robots ({', '.join(topics)})" if topics else "drives no robot"
        remedy = "publish geometry_msgs/msg/Twist or TwistStamped on one topic"
        raise WhisperSignError(path, fault, remedy)
    return moving[0]


@contextmanager
def _recordings(options: DriveOptions) -> Iterator[tuple[list[Path], list[Recording]]]:
    """Yield the bags to play and what is in them."""
    if options.bags:
        bags = find_bags(options.bags)
        yield bags, read_labelled(bags)
        return
    signer = Signer(options.signer)
    recording = signer.sign_sentences([[gloss] for gloss in options.glosses], tail=TAIL)
    with TemporaryDirectory(prefix="whispersign-") as folder:
        write_bag(Path(folder) / "signing", recording)
        yield [Path(folder) / "signing"], [recording]


def _witness(
    children: Children,
    options: DriveOptions,
    bags: Sequence[Path],
    recordings: Sequence[Recording],
    base: Publish,
) -> DriveMonitor:
    """Start the nodes, and watch until nothing more can happen."""
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    executor = SingleThreadedExecutor()
    try:
        robot = RobotNode(
            cli_args=["--ros-args", "-r", f"cmd_vel:={base.topic}"],
            parameter_overrides=[Parameter("stamped", value=base.type == TYPES[1])],
        )
        witness = DriveMonitor(robot, recordings)
        executor.add_node(robot)
        executor.add_node(witness)
        for executable in GRAPH:
            children.start(executable, {"model": str(options.model)})
        children.start("command_node", {"commands_file": str(options.commands), **PATIENT})
        children.start(
            "replay_node",
            {
                "bag": [str(bag) for bag in bags],
                "wait_for": [*GRAPH, "command_node", LISTENER],
                "wait_timeout": START_LIMIT,
                "pause": PAUSE / NANOSECONDS,
            },
        )
        while not witness.settled(children.ended("replay_node")):
            children.check()
            executor.spin_once(timeout_sec=SPIN)
        robot.robot.advance(time.monotonic())
        for node in (robot, witness):
            node.destroy_node()
    finally:
        executor.shutdown()
        rclpy.shutdown()
    return witness


class DriveMonitor(Node):
    """Prints what the robot is told, and remembers when.

    Attributes:
        robot: that is driven.
    """

    def __init__(self, node: RobotNode, recordings: Sequence[Recording]) -> None:
        super().__init__(LISTENER)
        self.robot = node.robot
        self._told: list[tuple[float, Event]] = []
        self._last: State | None = None
        self._origin: float | None = None  # seconds: the first frame came
        self._patience = CompletionTimeout(recordings, BETWEEN)
        qos.subscribe(self, HandFrame, "hands/raw", qos.HANDS_INPUT, self._follow)
        qos.subscribe(
            self, DiagnosticStatus, "command_state", qos.COMMAND_STATE, self._on_diagnostics
        )

    def settled(self, source_ended: bool) -> bool:
        """Tell whether the robot stands and nothing more is to be waited for.

        Raises:
            WhisperSignError: the graph takes longer than it can need.
        """
        idle = self._last is not None and not self._last.active
        return self._patience.over(source_ended, idle)

    def legs(self) -> list[Leg]:
        """What the robot did, from event to event."""
        ends = [begin for begin, _ in self._told[1:]] + [math.inf]
        return [
            Leg(event, begin, *self.robot.between(begin, end))
            for (begin, event), end in zip(self._told, ends)
        ]

    def _follow(self, _: HandFrame) -> None:
        if self._origin is None:
            self._origin = time.monotonic()

    def _on_diagnostics(self, message: DiagnosticStatus) -> None:
        """Take a change of the state of command_node."""
        now = self._patience.renewed()
        state = _state(message)
        last, self._last = self._last, state
        for event in changes(last, state) if last is not None else ():
            if self._patience.source_ended and not event.begins and " " in event.name:
                continue  # nothing is signed any more, so what is held ends
            self._told.append((now, event))
            self.robot.advance(now)
            what = f"does {event.name}" if event.begins else f"is stopped: {event.name}"
            print(f"{now - (self._origin or now):7.2f} s  the robot {what}", flush=True)


def _state(message: DiagnosticStatus) -> State:
    values = {pair.key: pair.value for pair in message.values}
    armed = values.pop("armed") == "true"
    return State(armed=armed, **values)


def _report(
    wanted: Sequence[Event], legs: Sequence[Leg], witness: DriveMonitor, commands: Commands
) -> bool:
    """Print what was to be done and what was done; return whether they agree."""
    told = [leg.event for leg in legs]
    print(f"signed for: {' '.join(map(str, wanted)) or '(nothing)'}")
    print(f"was told:   {' '.join(map(str, told)) or '(nothing)'}")
    right = told == list(wanted)
    known = {command.name: command for command in commands.commands}
    for number, leg in enumerate(legs):
        moved = not leg.event.begins or _as_told(leg, known[leg.event.name])
        right &= moved
        print(
            f"{number % 9 + 1:3} {leg.event!s:<12} {leg}{'' if moved else '  (not as it was told)'}"
        )
    if not witness.robot.told_to_stand:
        right = False
        print("    in the end nobody told it to stand")
    return right


def _as_told(leg: Leg, command: Command) -> bool:
    """Tell whether the robot moved as a command says, as far as that moves it."""
    message = drives(command)
    if message is None:
        return True
    speed, rate = speeds(message)
    ahead = leg.distance * math.copysign(1, speed) >= LEAST_DISTANCE or not speed
    turned = leg.turn * math.copysign(1, rate) >= LEAST_TURN or not rate
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
