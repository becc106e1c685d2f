# SPDX-License-Identifier: MIT
"""Node ``command_node``: turns glosses into commands, as a commands file specifies."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from whispersign_model.configuration import find_config
from whispersign_model.errors import ConfigError
from whispersign_model.recordings.spelling import normalized
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import Gloss, HandFeatures, Vocabulary
from whispersign_ros.commands.commands_file import read_commands
from whispersign_ros.commands.evidence import Evidence, Now, RecognizerReport
from whispersign_ros.commands.outputs import CommandOutputs
from whispersign_ros.commands.schema import Action
from whispersign_ros.commands.sign_order import RecognizedSign
from whispersign_ros.commands.source_map import CommandsError
from whispersign_ros.commands.state_machine import CommandMachine, State
from whispersign_ros.commands.velocity import VELOCITY_TYPE
from whispersign_ros.conversions.messages import nanoseconds
from whispersign_ros.node import qos
from whispersign_ros.node.diagnostics import Condition, Diagnostics
from whispersign_ros.node.parameters import ParameterSpec, declare
from whispersign_ros.node.source_guard import SourceMonitor, publisher_process

LONGEST_TICK = 0.05  # maximum seconds between two checks for due actions
LOOK_PERIOD = 1.0  # seconds between two looks at subscribers and services
FAREWELL = 0.3  # seconds to wait for delivery of the stop before the node ends
LOCK_LIMIT = 0.1  # seconds that the stop at the end waits for a callback in progress
PARAMETERS = (
    ParameterSpec(
        "commands_file",
        "config/commands.yaml",
        "file that maps glosses to commands; if a config/ file does not exist, the package's copy "
        "is used",
    ),
    ParameterSpec(
        "input_timeout",
        0.5,
        "maximum age in seconds of the newest recognized frame while a command is being carried"
        " out; beyond it, the robot stops",
        (0.1, 60.0),
    ),
    ParameterSpec(
        "recognizer",
        "recognition_node",
        "node whose diagnostics confirm that a stop sign can be recognized",
    ),
    ParameterSpec(
        "max_age",
        5.0,
        "maximum age of a sign in seconds since its end; older signs are ignored; 0.0 is for"
        " recordings that keep their own stamps, and disables the comparison with the clock",
        (0.0, 60.0),
    ),
    VELOCITY_TYPE,
)


class CommandNode(Node):
    """Publishes messages and calls services for glosses; publishes ``command_state``.

    Raises:
        ConfigError: a parameter or the commands file is invalid.
    """

    def __init__(self, also_known: Sequence[str] = (), **arguments: Any) -> None:
        self._machine: CommandMachine | None = None
        self._outputs: CommandOutputs | None = None
        self._lock = threading.Lock()  # of both: the process's end stops from another thread
        super().__init__(
            "command_node", automatically_declare_parameters_from_overrides=True, **arguments
        )
        values = declare(self, PARAMETERS, also_known)
        if not values["recognizer"]:
            raise ConfigError(
                "parameter 'recognizer'", "is empty", "name the node that publishes the glosses"
            )
        path = find_config(values["commands_file"])
        self._file = read_commands(path)
        self._recognizer = self._full_name(values["recognizer"])
        self.diagnostics = Diagnostics(
            self, "hands/features", "whispersign_msgs/msg/HandFeatures", self.condition
        )
        self._vocabulary_known = False
        self._conflict = ""
        self._sources = SourceMonitor(self, "hands/features", self.diagnostics)
        self._state = qos.publish(self, DiagnosticStatus, "command_state", qos.COMMAND_STATE)
        self._outputs = CommandOutputs(self, self._file, self.diagnostics, values["velocity_type"])
        evidence = Evidence(round(values["input_timeout"] * NANOSECONDS), values["max_age"] > 0.0)
        self._machine = CommandMachine(self._file.commands, evidence, values["max_age"])
        self._shown = self._machine.state
        self._show()
        self._listen()
        self._start_timers()
        self.get_logger().info(f"{len(self._file.commands.commands)} commands from {path}")

    def halt(self, cause: str) -> None:
        """Carry out the stop entry, wait for its delivery, and carry out nothing afterwards.

        Takes less than half a second, even while a callback hangs. May be called from any thread.
        """
        free = self._lock.acquire(timeout=LOCK_LIMIT)
        try:
            machine, self._machine = self._machine, None
            if machine is not None and self._outputs is not None:
                self._outputs.perform(machine.stop(cause, self._now()))
                self._update(machine)
                self._outputs.deliver(FAREWELL)
        finally:
            if free:
                self._lock.release()

    def destroy_node(self) -> None:
        """Carry out the stop entry, and destroy the node."""
        self.halt("the node ends")
        super().destroy_node()

    def condition(self) -> Condition | None:
        """Return what keeps commands from their receivers, or why none can be carried out."""
        machine, outputs = self._machine, self._outputs
        if machine is None or outputs is None:
            return None
        if faults := outputs.faults():
            return DiagnosticStatus.ERROR, "; ".join(faults)
        warnings = [*outputs.service_warnings(), *outputs.base_warnings()]
        if machine.state.lost:
            warnings.insert(0, f"no command is carried out: {machine.state.lost}")
        return (DiagnosticStatus.WARN, "; ".join(warnings)) if warnings else None

    def _full_name(self, name: str) -> str:
        """Return a fully qualified node name; a relative one is in this namespace."""
        namespace = self.get_namespace().rstrip("/")
        return name if name.startswith("/") else f"{namespace}/{name}"

    def _listen(self) -> None:
        qos.subscribe(self, HandFeatures, "hands/features", qos.HEARTBEAT, self._on_features)
        qos.subscribe(self, Gloss, "gloss", qos.GLOSS, self._on_gloss)
        qos.subscribe(self, Gloss, "gloss_partial", qos.GLOSS_PARTIAL, self._on_partial)
        qos.subscribe(self, Vocabulary, "vocabulary", qos.VOCABULARY, self._on_vocabulary)
        qos.subscribe(self, DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS, self._on_diagnostics)

    def _start_timers(self) -> None:
        rates = [each.publish_rate for each in self._file.commands.commands if each.mode != "once"]
        period = min([LONGEST_TICK, *(0.5 / rate for rate in rates)])
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._ticks = self.create_timer(period, self._tick, clock=steady)
        self._looks = self.create_timer(LOOK_PERIOD, self._look, clock=steady)

    def _now(self) -> Now:
        clock = int(self.get_clock().now().nanoseconds)
        return Now(clock or None, time.monotonic_ns())  # 0: nothing has come on /clock

    @contextmanager
    def _locked(self) -> Iterator[tuple[CommandMachine, CommandOutputs] | None]:
        """Yield machine and outputs for one event; None once the node has stopped."""
        with self._lock:
            machine, outputs = self._machine, self._outputs
            yield (machine, outputs) if machine and outputs else None

    def _do(self, event: Callable[[CommandMachine, Now], Sequence[Action]]) -> None:
        """Process an event, and carry out the actions that it causes."""
        with self._locked() as parts:
            if parts is None:
                return
            machine, outputs = parts
            outputs.perform(event(machine, self._now()))
            self._update(machine)

    def _on_features(self, message: HandFeatures, info: Mapping[str, Any]) -> None:
        stamp = nanoseconds(message.header.stamp)
        self.diagnostics.arrived(stamp)
        if self._sources.admit(info, message.sequence, stamp):
            self._do(lambda machine, now: machine.on_features(stamp, now))

    def _on_diagnostics(self, message: DiagnosticArray, info: Mapping[str, Any]) -> None:
        for status in message.status:
            if status.name == self._recognizer:
                self._report(_read_report(status, publisher_process(info)))

    def _report(self, report: RecognizerReport) -> None:
        self._do(lambda machine, now: machine.on_report(report, now))

    def _on_vocabulary(self, message: Vocabulary) -> None:
        """Check a vocabulary: the first must have our glosses; a later one may allow stops only.

        Raises:
            CommandsError: the first vocabulary lacks glosses of the commands file.
        """
        first, self._vocabulary_known = not self._vocabulary_known, True
        lacking = ""
        try:
            self._file.check_glosses(message.glosses)
            self.diagnostics.accept()
        except CommandsError as error:
            if first:
                raise
            faults = "; ".join(map(str, error.faults))
            lacking = f"only stop signs are obeyed, as the new model lacks glosses: {faults}"
            self.diagnostics.fail(lacking)
        self.diagnostics.show("vocabulary", message.model_id)
        glosses = tuple(map(normalized, message.glosses))
        self._do(lambda m, now: m.on_vocabulary(message.model_id, glosses, lacking, now))

    def _on_gloss(self, message: Gloss, info: Mapping[str, Any]) -> None:
        """Process a gloss as final or partial."""
        sign = _read_sign(message, publisher_process(info))
        if message.final:
            self._do(lambda machine, now: machine.on_final(sign, now))
        else:
            self._do(lambda machine, now: machine.on_partial(sign, now))

    def _on_partial(self, message: Gloss) -> None:
        sign = _read_sign(message, None)
        self._do(lambda machine, now: machine.on_partial(sign, now))

    def _tick(self) -> None:
        conflict = self._sources.fault()
        if bool(conflict) != bool(self._conflict):
            self._do(lambda machine, now: machine.on_conflict(conflict, now))
        self._conflict = conflict
        self._do(lambda machine, now: machine.tick(now))

    def _look(self) -> None:
        with self._locked() as parts:
            if parts is not None:
                parts[1].tick()

    def _update(self, machine: CommandMachine) -> None:
        """Publish the state if it has changed."""
        if machine.state != self._shown:
            self._shown = machine.state
            self._show()

    def _show(self) -> None:
        """Publish the state."""
        state = self._shown
        status = DiagnosticStatus(level=DiagnosticStatus.OK, name=self.get_fully_qualified_name())
        status.message = _sentence(state)
        status.values = [
            KeyValue(key=key, value=str(value).lower() if isinstance(value, bool) else value)
            for key, value in vars(state).items()
        ]
        self._state.publish(status)
        self.diagnostics.show("state", status.message)
        self.diagnostics.show("ignored", state.ignored)


def _sentence(state: State) -> str:
    """Describe a state in one sentence."""
    if state.active:
        return f"doing {state.active}"
    armed = "armed" if state.armed else "not armed"
    return f"{armed}; the last stop: {state.stopped}" if state.stopped else armed


def _read_report(status: DiagnosticStatus, source: bytes | None) -> RecognizerReport:
    """Read a report of the recognizer; what is missing or no number is unknown."""
    values = {pair.key: pair.value for pair in status.values}
    well = status.level in (DiagnosticStatus.OK, DiagnosticStatus.WARN)
    return RecognizerReport(
        fault="" if well else status.message or "an error",
        model_id=values.get("model", ""),
        recognized_until=_whole(values.get("recognized_until", "")),
        stream=_whole(values.get("stream", "")),
        source=source,
    )


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _read_sign(message: Gloss, source: bytes | None) -> RecognizedSign:
    start, end = nanoseconds(message.start_time), nanoseconds(message.end_time)
    number = message.utterance_id, message.position
    return RecognizedSign(
        normalized(message.gloss), message.confidence, start, end, message.model_id, source, number
    )
