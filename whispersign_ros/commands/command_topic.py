# SPDX-License-Identifier: MIT
"""One topic that a commands file publishes on: its publisher, type, subscribers and faults."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher

from whispersign_ros.commands import velocity
from whispersign_ros.commands.message_builder import interface, is_stamped
from whispersign_ros.commands.source_map import Place, SourceMap
from whispersign_ros.commands.subscribers import (
    Subscriber,
    base_warning,
    find_subscribers,
    join,
    other_types,
    unmet_qos,
)
from whispersign_ros.node import qos

CONFLICT = "another node of this process may use the topic with another type"


class CommandTopic:
    """Publishes on one topic; a velocity topic follows the type that its subscribers expect.

    Args:
        node: owns the publisher.
        source_map: locates the topic in the commands file.
        name: name in the commands file.
        type_name: type in the commands file.
        place: place of the first action on this topic.
        velocity_type: value of the parameter; ignored on other topics.

    Attributes:
        name: name in the commands file.
        type: name of the type that it publishes now.

    Raises:
        NameValidationException: the name is invalid.
        RuntimeError: the topic is not a velocity topic and its publisher cannot be created.
    """

    def __init__(
        self,
        node: Node,
        source_map: SourceMap,
        name: str,
        type_name: str,
        place: Place,
        velocity_type: str = velocity.AUTO,
    ) -> None:
        self._node = node
        self._source_map = source_map
        self.name = name
        self._full_name = node.resolve_topic_name(name)
        self._place = place
        self._setting = velocity_type
        self._publisher: Publisher | None = None
        self._refused = ""  # type that could not be published
        self._failure = ""  # why there is no publisher of the chosen type
        self._subscribers: list[Subscriber] = []
        self.file_type = self.type = type_name
        if self.is_velocity:
            self.look()
        else:
            self._publisher = self._create(type_name)

    @property
    def is_velocity(self) -> bool:
        """Whether the topic carries Twist or TwistStamped."""
        return self.file_type in velocity.TYPES

    @property
    def publisher(self) -> Publisher | None:
        """The current publisher, None if it cannot be created."""
        return self._publisher

    def send(self, messages: Mapping[str, Any]) -> None:
        """Publish the message in ``messages`` for the topic's type; stamp it if it has a header.

        Raises:
            RuntimeError: there is no publisher.
        """
        if self._publisher is None:
            raise RuntimeError(self._failure)
        message = messages[self.type]
        if is_stamped(message):
            message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def deliver(self, seconds: float) -> bool:
        """Wait until the subscribers have acknowledged everything; return whether they did."""
        if self._publisher is None:
            return True
        return bool(self._publisher.wait_for_all_acked(Duration(seconds=seconds)))

    def look(self) -> None:
        """Look at the subscribers, and change a velocity topic to the type that they expect."""
        self._subscribers = find_subscribers(self._node, self.name)
        if self.is_velocity:
            types = {each.type for each in self._subscribers}
            self._use(velocity.choose_type(self._setting, self.type, types))

    def faults(self) -> Iterator[str]:
        """Yield a sentence for each reason why a subscriber cannot receive the messages."""
        if self._failure or self._publisher is None:
            yield self._fault("type", self._failure, self._failure_remedy())
            return
        for type_name, nodes in other_types(self._subscribers, self.type).items():
            fault = f"{self._full_name} carries {self.type}, but {join(nodes)} expects {type_name}"
            yield self._fault("type", fault, self._type_remedy(type_name, nodes))
        for policy, nodes in unmet_qos(self._subscribers, self._publisher.qos_profile).items():
            key, _, value = policy.partition(": ")
            parameter = f"qos_overrides.{self._full_name}.publisher.{key}"
            fault = f"{join(nodes)} requests {policy} on {self._full_name}, which is not offered"
            yield self._fault("topic", fault, f"set the parameter {parameter} to {value}")

    def base_warning(self, nodes: set[str]) -> str:
        """Return a warning if no subscriber is known to stop by itself, "" otherwise.

        Args:
            nodes: names of all nodes on the graph, without namespaces.
        """
        if not self.is_velocity:
            return ""
        receivers = [each for each in self._subscribers if each.type in velocity.TYPES]
        return base_warning(self._full_name, receivers, nodes)

    def _use(self, type_name: str) -> None:
        """Publish this type from now on; keep the old one if the new one is impossible."""
        if self._publisher is not None and type_name == self.type:
            self._failure = self._refused = ""
        elif self._publisher is None or type_name != self._refused:
            self._change(type_name)

    def _change(self, type_name: str) -> None:
        """Replace the publisher, because ROS allows one type per topic and participant."""
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)
            self._publisher = None
        self._failure = self._refused = ""
        others = (self.type, *velocity.TYPES) if self._setting == velocity.AUTO else ()
        for candidate in dict.fromkeys((type_name, *others)):
            try:
                self._publisher = self._create(candidate)
            except RuntimeError:
                self._refused = type_name
                self._failure = f"{self._full_name} cannot carry {type_name}: {CONFLICT}"
                continue
            if candidate != self.type:
                self._node.get_logger().info(f"{self._full_name} now carries {candidate}")
            self.type = candidate
            return

    def _create(self, type_name: str) -> Publisher:
        return qos.publish(self._node, interface(type_name), self.name, qos.COMMAND)

    def _failure_remedy(self) -> str:
        if self._setting == velocity.AUTO:
            return "run that node in a process of its own, or let it use the same type"
        return f"set the parameter velocity_type to {velocity.AUTO}"

    def _type_remedy(self, expected: str, nodes: Sequence[str]) -> str:
        """Return what to change for a subscriber that expects another type."""
        if not self.is_velocity or expected not in velocity.TYPES:
            return "change 'type' in the commands file, or the topic's name"
        if any(each.type == self.type for each in self._subscribers):
            setting = velocity.setting_for(expected)
            return (
                "let all subscribers use one type, or set the parameter velocity_type to"
                f" '{setting}' for {join(nodes)}"
            )
        return f"set the parameter velocity_type to '{velocity.AUTO}'"

    def _fault(self, key: str, fault: str, remedy: str) -> str:
        return str(self._source_map.fault((*self._place, key), fault, remedy))
