# SPDX-License-Identifier: MIT
"""Node ``command_node``: carries out the commands that a commands file maps to glosses."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.client import Client
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.task import Future

from whispersign_model.configuration import find_config
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import Gloss, HandFeatures, Vocabulary
from whispersign_ros.commands.message_builder import build_messages, is_stamped
from whispersign_ros.commands.schema import Action, Publish, read_commands
from whispersign_ros.commands.source_map import CommandsError
from whispersign_ros.commands.state_machine import CommandMachine, RecognizedSign
from whispersign_ros.conversions.messages import nanoseconds
from whispersign_ros.node import qos
from whispersign_ros.node.diagnostics import Diagnostics
from whispersign_ros.node.parameters import ParameterSpec, declare
from whispersign_ros.node.stream_monitor import JUMP

LONGEST_TICK = 0.05  # maximum seconds between two checks for due actions
ANSWER = 10.0  # seconds to wait for the answer to a service call
FAREWELL = 0.5  # seconds to wait for the delivery of the stop action before the node ends
PARAMETERS = (
    ParameterSpec(
        "commands_file",
        "config/commands.yaml",
        "file that maps glosses to commands; if a config/ file is missing, the package's copy "
        "is used",
    ),
    ParameterSpec(
        "input_timeout",
        1.0,
        "seconds without hands/features after which a held command stops; 0.0 disables this",
        (0.0, 60.0),
    ),
    ParameterSpec(
        "recognizer",
        "recognition_node",
        "node whose diagnostics confirm that a stop sign can be recognized; empty disables this"
        " check",
    ),
    ParameterSpec(
        "recognizer_timeout",
        3.0,
        "seconds without these diagnostics (sent every second) after which a held command stops",
        (1.5, 60.0),
    ),
    ParameterSpec(
        "max_age",
        5.0,
        "longest time in seconds since the end of a sign; an older sign is ignored; 0.0 disables"
        " this",
        (0.0, 60.0),
    ),
)


class CommandNode(Node):
    """Publishes messages and calls services for glosses; publishes ``command_state``.

    Raises:
        ConfigError: a parameter or the commands file is invalid.
    """

    def __init__(self, also_known: Sequence[str] = (), **arguments: Any) -> None:
        self._machine: CommandMachine | None = None
        super().__init__(
            "command_node", automatically_declare_parameters_from_overrides=True, **arguments
        )
        values = declare(self, PARAMETERS, also_known)
        path = find_config(values["commands_file"])
        self._file = read_commands(path)
        built = build_messages(self._file)
        self._recognizer = self._full_name(values["recognizer"])
        self._features = self.resolve_topic_name("hands/features")
        inputs = {self._features: values["input_timeout"]}
        if self._recognizer:
            inputs[self._recognizer] = values["recognizer_timeout"]
        self.diagnostics = Diagnostics(self, "hands/features", "whispersign_msgs/msg/HandFeatures")
        self._model_id = ""  # of the last vocabulary
        self._lacking = False  # whether that vocabulary lacks glosses of the file
        self._endpoints: dict[str, Publisher | Client] = {}
        self._calls: dict[Future, tuple[Client, int]] = {}  # pending calls and their start times
        self._handlers = self._prepare(built)
        self._state = qos.publish(self, DiagnosticStatus, "command_state", qos.COMMAND_STATE)
        machine = CommandMachine(self._file.commands, inputs, values["max_age"])
        self._listen()
        self._begin(machine)
        self.get_logger().info(f"{len(self._file.commands.commands)} commands from {path}")

    def destroy_node(self) -> None:
        """Carry out the stop action, wait for its delivery, and destroy the node."""
        machine, self._machine = self._machine, None
        if machine is not None:
            self._perform(machine.stop("the node ends"))
            for publisher in self._endpoints.values():
                if isinstance(publisher, Publisher):
                    publisher.wait_for_all_acked(Duration(seconds=FAREWELL))
        super().destroy_node()

    def _full_name(self, name: str) -> str:
        """Return a fully qualified node name; a relative name is in this node's namespace."""
        namespace = self.get_namespace().rstrip("/")
        return name if name.startswith("/") or not name else f"{namespace}/{name}"

    def _listen(self) -> None:
        qos.subscribe(self, HandFeatures, "hands/features", qos.HEARTBEAT, self._on_features)
        qos.subscribe(self, Gloss, "gloss", qos.GLOSS, self._on_gloss)
        qos.subscribe(self, Gloss, "gloss_partial", qos.GLOSS_PARTIAL, self._on_partial)
        qos.subscribe(self, Vocabulary, "vocabulary", qos.VOCABULARY, self._check)
        if self._recognizer:
            qos.subscribe(
                self, DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS, self._on_diagnostics
            )

    def _begin(self, machine: CommandMachine) -> None:
        self._machine = machine
        self._shown = machine.state
        self._show()
        rates = [each.publish_rate for each in self._file.commands.commands if each.mode != "once"]
        period = min([LONGEST_TICK, *(0.5 / rate for rate in rates)])
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._ticks = self.create_timer(period, lambda: self._tick(machine), clock=steady)
        self._jumps = self.get_clock().create_jump_callback(
            JUMP, post_callback=lambda _: self._do(machine.reset("a jump in time"))
        )

    def _prepare(self, built: Mapping[int, Any]) -> dict[int, Callable[[], None]]:
        """Map the ``id`` of each action to a function that carries it out."""
        handlers, faults = {}, []
        for place, action in self._file.commands.placed_actions():
            try:
                handlers[id(action)] = self._handler(action, built)
            except NameValidationException as error:
                name = "topic" if isinstance(action, Publish) else "service"
                fault = " ".join(str(error).split())
                faults.append(self._file.source_map.fault((*place, name), fault))
        if faults:
            raise CommandsError(faults)
        return handlers

    def _handler(self, action: Action, built: Mapping[int, Any]) -> Callable[[], None]:
        """Return a function that carries out an action; create its publisher or client once."""
        kind, message = built[id(action)]
        name = action.topic if isinstance(action, Publish) else action.service
        if isinstance(action, Publish):
            publisher = self._endpoints.get(f"topic {name}")
            if publisher is None:
                publisher = qos.publish(self, kind, name, qos.COMMAND)
                self._endpoints[f"topic {name}"] = publisher
            return partial(self._send, publisher, message, is_stamped(message))
        client = self._endpoints.get(f"service {name}")
        if client is None:
            client = self._endpoints[f"service {name}"] = self.create_client(kind, name)
        return partial(self._call, client, message)

    def _send(self, publisher: Publisher, message: Any, stamped: bool) -> None:
        if stamped:
            message.header.stamp = self.get_clock().now().to_msg()
        publisher.publish(message)

    def _call(self, client: Client, request: Any) -> None:
        if not client.service_is_ready():
            self.diagnostics.dropped("calls", f"no server for {client.srv_name}")
            return
        answer = client.call_async(request)
        self._calls[answer] = client, _now()
        answer.add_done_callback(partial(self._answered, client.srv_name))

    def _give_up_calls(self) -> None:
        """Cancel calls that have timed out, because their server may have died."""
        for answer, (client, begin) in list(self._calls.items()):
            if _now() - begin >= ANSWER * NANOSECONDS:
                del self._calls[answer]
                client.remove_pending_request(answer)
                fault = f"{client.srv_name} has not answered for {ANSWER:g} s"
                self.diagnostics.dropped("calls_unanswered", fault)

    def _answered(self, service: str, answer: Future) -> None:
        """Count a failure that the response reports in a field ``success``, as Trigger does."""
        self._calls.pop(answer, None)
        response = answer.result() if answer.exception() is None else None
        if not getattr(response, "success", response is not None):
            why = getattr(response, "message", "") or answer.exception() or "no reason given"
            self.diagnostics.dropped("calls_refused", f"{service}: {why}")

    def _on_features(self, message: HandFeatures) -> None:
        self.diagnostics.arrived(nanoseconds(message.header.stamp))
        if self._machine is not None:
            self._machine.feed(self._features, _now())

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        """Restart the recognizer's timeout unless its diagnostics report an error."""
        for status in message.status:
            well = status.level in (DiagnosticStatus.OK, DiagnosticStatus.WARN)
            if status.name == self._recognizer and well and self._machine is not None:
                self._machine.feed(self._recognizer, _now())

    def _check(self, message: Vocabulary) -> None:
        """Check that a vocabulary has all glosses; if a later one does not, obey only stop signs.

        Raises:
            CommandsError: the first vocabulary lacks glosses of the commands file.
        """
        first, changed = self._model_id == "", message.model_id != self._model_id
        try:
            self._file.check_glosses(message.glosses)
            self._lacking = False
            self.diagnostics.accept()
        except CommandsError as error:
            if first:
                raise
            self._lacking = True
            faults = "; ".join(map(str, error.faults))
            self.diagnostics.fail(
                f"obeying only stop signs, because the new model lacks glosses: {faults}"
            )
        self._model_id = message.model_id
        self.diagnostics.show("vocabulary", message.model_id)
        if changed and not first and self._machine is not None:
            self._do(self._machine.reset("another model"))

    def _on_gloss(self, message: Gloss) -> None:
        """Process a final gloss; treat it as partial while the vocabulary lacks glosses."""
        if not message.final or self._lacking:
            self._on_partial(message)
        elif self._machine is not None:
            sign = _sign(message)
            age = (self.get_clock().now().nanoseconds - sign.end) / NANOSECONDS
            self._do(self._machine.on_final(sign, _now(), age))

    def _on_partial(self, message: Gloss) -> None:
        if self._machine is not None:
            self._do(self._machine.on_partial(_sign(message), _now()))

    def _tick(self, machine: CommandMachine) -> None:
        self._do(machine.tick(_now()))
        self._give_up_calls()

    def _do(self, actions: Sequence[Action]) -> None:
        self._perform(actions)
        if self._machine is not None and self._machine.state != self._shown:
            self._shown = self._machine.state
            self._show()

    def _perform(self, actions: Sequence[Action]) -> None:
        for action in actions:
            self._handlers[id(action)]()

    def _show(self) -> None:
        """Publish the state."""
        state = self._shown
        status = DiagnosticStatus(level=DiagnosticStatus.OK, name=self.get_fully_qualified_name())
        status.message = (
            f"doing {state.active}" if state.active else "armed" if state.armed else "not armed"
        )
        status.values = [
            KeyValue(key=key, value=str(value).lower() if isinstance(value, bool) else value)
            for key, value in vars(state).items()
        ]
        self._state.publish(status)
        self.diagnostics.show("state", status.message)
        self.diagnostics.show("ignored", state.ignored)


def _now() -> int:
    return time.monotonic_ns()


def _sign(message: Gloss) -> RecognizedSign:
    start, end = nanoseconds(message.start_time), nanoseconds(message.end_time)
    return RecognizedSign(message.gloss, message.confidence, start, end)
