# SPDX-License-Identifier: MIT
"""Subscribers of the command topics: what they expect, and whether they stop by themselves."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo

# Nodes that are known to have a command time-out of their own.
STOPPING_NODES = ("collision_monitor", "robot_node", "turtlesim", "twist_mux", "velocity_smoother")
CONTROLLER_SUFFIX = "_controller"  # nodes of ros2_control
CONTROLLER_MANAGER = "controller_manager"
UNKNOWN_NAME = "_NODE_NAME_UNKNOWN_"  # the name has not arrived yet, or is no ROS node's
UNNAMED = "an unnamed node"


@dataclass(frozen=True)
class Subscriber:
    """One subscription on the graph.

    Attributes:
        node: full name of its node, or ``UNNAMED``.
        type: message type that it expects.
        reliable: it requests reliable delivery.
        transient_local: it requests messages from before its start.
    """

    node: str
    type: str
    reliable: bool = False
    transient_local: bool = False

    @property
    def node_name(self) -> str:
        """The name of its node without the namespace."""
        return self.node.rpartition("/")[2]


def find_subscribers(node: Node, topic: str) -> list[Subscriber]:
    """Return the subscriptions of a topic, as the graph shows them now."""
    found = map(_subscriber, node.get_subscriptions_info_by_topic(topic))
    return sorted(found, key=lambda each: (each.node, each.type))


def _subscriber(info: TopicEndpointInfo) -> Subscriber:
    known = info.node_name != UNKNOWN_NAME
    return Subscriber(
        f"{info.node_namespace.rstrip('/')}/{info.node_name}" if known else UNNAMED,
        info.topic_type,
        info.qos_profile.reliability == ReliabilityPolicy.RELIABLE,
        info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL,
    )


def other_types(subscribers: Iterable[Subscriber], published: str) -> dict[str, list[str]]:
    """Return the nodes that expect another type than the published one, by that type."""
    found: dict[str, list[str]] = {}
    for each in subscribers:
        if each.type != published and each.node not in found.setdefault(each.type, []):
            found[each.type].append(each.node)
    return {name: nodes for name, nodes in found.items() if nodes}


def unmet_qos(subscribers: Iterable[Subscriber], offered: QoSProfile) -> dict[str, list[str]]:
    """Return the nodes that request more than a publisher offers, by ``policy: value``."""
    reliable = offered.reliability != ReliabilityPolicy.BEST_EFFORT
    transient_local = offered.durability == DurabilityPolicy.TRANSIENT_LOCAL
    found: dict[str, list[str]] = {}
    for each in subscribers:
        if each.reliable and not reliable:
            found.setdefault("reliability: reliable", []).append(each.node)
        if each.transient_local and not transient_local:
            found.setdefault("durability: transient_local", []).append(each.node)
    return found


def stops_by_itself(subscriber: Subscriber, nodes: Collection[str]) -> bool:
    """Return whether a node is known to stop the base when commands cease.

    A name like ``diff_drive_controller`` counts while ros2_control's ``controller_manager`` is
    among ``nodes``, the names of all nodes on the graph.
    """
    name = subscriber.node_name
    controller = name.endswith(CONTROLLER_SUFFIX) and CONTROLLER_MANAGER in nodes
    return controller or name in STOPPING_NODES


def base_warning(topic: str, subscribers: Sequence[Subscriber], nodes: Collection[str]) -> str:
    """Return a warning if no subscriber of a velocity topic is known to stop by itself, or ""."""
    if not subscribers or any(stops_by_itself(each, nodes) for each in subscribers):
        return ""
    names = join(each.node for each in subscribers)
    return (
        f"{topic}: no subscriber is known to stop when commands cease: {names};"
        " check that the base has a command time-out, and set stop.base_timeout to its seconds"
        " in the commands file"
    )


def join(names: Iterable[str]) -> str:
    """Return each name once, in order, as a list for a sentence."""
    return ", ".join(dict.fromkeys(names))
