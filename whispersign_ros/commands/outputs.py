# SPDX-License-Identifier: MIT
"""Everything that ``command_node`` sends: messages and service calls of a commands file."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.serialization import serialize_message
from rclpy.validate_topic_name import validate_topic_name

from whispersign_ros.commands import velocity
from whispersign_ros.commands.command_topic import CommandTopic
from whispersign_ros.commands.commands_file import CommandsFile
from whispersign_ros.commands.message_builder import build_messages
from whispersign_ros.commands.schema import Action, Call, Publish
from whispersign_ros.commands.service_calls import ServiceCalls
from whispersign_ros.commands.source_map import CommandsError, Place
from whispersign_ros.node.diagnostics import Diagnostics


class CommandOutputs:
    """Publishers, clients and ready messages of a commands file.

    Everything that can be wrong with a message is found here, before the first command: each one is
    built and serialized. Calls of the methods must not overlap; the caller holds a lock. Answers to
    service calls may arrive at any time.

    Args:
        node: owns publishers and clients.
        file: the commands file.
        diagnostics: counts ``actions_failed``, ``calls``, ``calls_unanswered``, ``calls_refused``.
        velocity_type: value of the parameter ``velocity_type``.

    Raises:
        CommandsError: lists every type, name and message that cannot be used, with file and line.
    """

    def __init__(
        self,
        node: Node,
        file: CommandsFile,
        diagnostics: Diagnostics,
        velocity_type: str = velocity.AUTO,
    ) -> None:
        self._node = node
        self._file = file
        self._diagnostics = diagnostics
        self._velocity_type = velocity_type
        self._topics: dict[str, CommandTopic] = {}
        self._calls = ServiceCalls(node, file.source_map, diagnostics)
        messages = _serializable_messages(file)
        self._handlers = self._prepare(messages)
        self._faults: list[str] = []
        self._base_warnings: list[str] = []
        self.tick()

    def perform(self, actions: Sequence[Action]) -> None:
        """Carry out actions in order; one that fails is counted and does not hold up the others."""
        for action in actions:
            try:
                self._handlers[id(action)]()
            except Exception as error:
                with suppress(Exception):
                    detail = f"{_name(action)}: {type(error).__name__}: {error}"
                    self._diagnostics.dropped("actions_failed", detail)

    def deliver(self, budget: float) -> bool:
        """Wait until subscribers have acknowledged the last messages of all topics.

        Args:
            budget: seconds to wait at most, for all topics together.

        Returns:
            Whether everything was acknowledged.
        """
        deadline = time.monotonic() + budget
        delivered = True
        for topic in self._topics.values():
            try:
                delivered &= topic.deliver(max(0.0, deadline - time.monotonic()))
            except Exception:  # the context may have ended
                delivered = False
        return delivered

    def tick(self) -> None:
        """Look at subscribers and services, and give up calls that time out; once a second."""
        self._calls.tick()
        for topic in self._topics.values():
            topic.look()
        self._faults = [fault for topic in self._topics.values() for fault in topic.faults()]
        self._faults += self._calls.faults()
        self._base_warnings = [] if self._base_timeout else self._find_base_warnings()

    def faults(self) -> list[str]:
        """Return why subscribers or services cannot receive commands, as of the last tick.

        Each sentence names file, line and the key to change, and is worth an ERROR on diagnostics.
        """
        return list(self._faults)

    def base_warnings(self) -> list[str]:
        """Return a sentence for each velocity topic whose base may not stop by itself.

        There is none if the commands file states ``stop.base_timeout``.
        """
        return list(self._base_warnings)

    def service_warnings(self) -> list[str]:
        """Return a sentence for each service that nobody serves, a few seconds after the start."""
        return self._calls.warnings()

    @property
    def _base_timeout(self) -> float | None:
        return self._file.commands.stop.base_timeout

    def _find_base_warnings(self) -> list[str]:
        if not any(topic.is_velocity for topic in self._topics.values()):
            return []
        nodes = {name for name, _ in self._node.get_node_names_and_namespaces()}
        found = [topic.base_warning(nodes) for topic in self._topics.values()]
        return [warning for warning in found if warning]

    def _prepare(self, built: Mapping[int, tuple[Any, Any]]) -> dict[int, Callable[[], None]]:
        """Return a function for each action, by its ``id``."""
        handlers, faults = {}, []
        for place, action in self._file.commands.placed_actions():
            kind, message = built[id(action)]
            name, is_service = _name(action), isinstance(action, Call)
            try:
                validate_topic_name(name, is_service=is_service)
                if isinstance(action, Publish):
                    handlers[id(action)] = self._publish_handler(action, place, message)
                else:
                    handlers[id(action)] = self._call_handler(action, place, kind, message)
            except (NameValidationException, RuntimeError, ValueError) as error:
                key = "service" if is_service else "topic"
                fault = " ".join(str(error).partition(", at /")[0].split())
                faults.append(self._file.source_map.fault((*place, key), fault))
        if faults:
            raise CommandsError(faults)
        return handlers

    def _publish_handler(self, action: Publish, place: Place, message: Any) -> Callable[[], None]:
        """Return the function of a publish action; actions share a topic's publisher."""
        full = self._node.resolve_topic_name(action.topic)
        topic = self._topics.get(full)
        if topic is None:
            arguments = action.topic, action.type, place, self._velocity_type
            topic = CommandTopic(self._node, self._file.source_map, *arguments)
            self._topics[full] = topic
        if topic.file_type != action.type:
            raise ValueError(f"'{full}' has type {topic.file_type} elsewhere in this file")
        if topic.name != action.topic:
            raise ValueError(f"'{full}' is also named '{topic.name}' in this file; write one name")
        messages = velocity.convert(message) if topic.is_velocity else {action.type: message}
        return partial(topic.send, messages)

    def _call_handler(
        self, action: Call, place: Place, kind: Any, request: Any
    ) -> Callable[[], None]:
        """Return the function of a call; actions share a service's client."""
        client = self._calls.client(kind, action.service, action.type, place)
        return partial(self._calls.send, client, request)


def _name(action: Action) -> str:
    return action.topic if isinstance(action, Publish) else action.service


def _serializable_messages(file: CommandsFile) -> dict[int, tuple[Any, Any]]:
    """Return the class and message of each action, by its ``id``, after serializing each message.

    Raises:
        CommandsError: lists every message that cannot be built or serialized.
    """
    built = build_messages(file)
    faults = []
    for place, action in file.commands.placed_actions():
        key = "message" if isinstance(action, Publish) else "request"
        try:
            serialize_message(built[id(action)][1])
        except Exception as error:
            fault = f"cannot be serialized ({error})"
            remedy = "correct its values"
            faults.append(file.source_map.fault((*place, key), fault, remedy))
    if faults:
        raise CommandsError(faults)
    return built
