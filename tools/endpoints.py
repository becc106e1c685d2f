# SPDX-License-Identifier: MIT
"""Collect every node's topics, services and actions from the ROS graph."""

import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from whispersign_ros.node.assets import DEMO_BAG
from whispersign_ros.node.discovery import isolate
from whispersign_ros.node.entry_points import NODES
from whispersign_ros.node.runner import create_node

ROOT = Path(__file__).resolve().parents[1]
BOUND = 60.0  # seconds to wait for a node's stable endpoints
ACTION = re.compile(r"/_action/\w+$")
# Parameters that a node needs to start without a device.
PARAMETERS: dict[str, dict[str, Any]] = {
    "annotation_node": {"glosses": "HELLO", "signer": "s", "keys": False},
    "camera_node": {"autostart": False},
    "leap_node": {"autostart": False},
    "replay_node": {"bag": str(DEMO_BAG)},
}


@dataclass(frozen=True)
class Endpoints:
    """The endpoints of a node: full names with their types (``whispersign_msgs/msg/Gloss``).

    Attributes:
        publishes, hears: published and subscribed topics.
        serves, calls: services that the node serves and calls, without those of actions.
        acts: action servers.
        quality: QoS of each published and subscribed topic, in words.
    """

    publishes: Mapping[str, str]
    hears: Mapping[str, str]
    serves: Mapping[str, str]
    calls: Mapping[str, str]
    acts: Mapping[str, str]
    quality: Mapping[tuple[str, str], str]


def all_endpoints() -> dict[str, Endpoints]:
    """Start each node in turn in an isolated domain and read its endpoints."""
    isolate(os.environ)
    found = {}
    for name in NODES:
        with _started(name) as node:
            found[name] = _look(node)
    return found


@contextmanager
def _started(name: str) -> Iterator[Node]:
    with tempfile.TemporaryDirectory() as folder:
        values = dict(PARAMETERS.get(name, {}))
        if name == "annotation_node":
            values["out"] = folder
        overrides = [Parameter(key, value=value) for key, value in values.items()]
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        try:
            node = create_node(name, lambda: None, parameter_overrides=overrides)
            if name == "visualization_node":
                node.listen()  # subscribes only while its markers have subscribers
            try:
                yield node
            finally:
                node.destroy_node()
        finally:
            rclpy.shutdown()


def _look(node: Node) -> Endpoints:
    """Query a node's endpoints until two successive answers are equal."""
    own = node.get_name(), node.get_namespace()
    deadline = time.monotonic() + BOUND
    before = None
    while time.monotonic() < deadline:
        seen = [
            {name: kinds[0] for name, kinds in ask(*own)}
            for ask in (
                node.get_publisher_names_and_types_by_node,
                node.get_subscriber_names_and_types_by_node,
                node.get_service_names_and_types_by_node,
                node.get_client_names_and_types_by_node,
            )
        ]
        if seen == before and seen[0]:
            return _sorted(seen, _qualities(node, seen[0], seen[1]))
        before = seen
        time.sleep(0.2)
    raise TimeoutError(f"{own[0]} does not appear in the graph")


def _qualities(
    node: Node, publishes: Iterable[str], hears: Iterable[str]
) -> dict[tuple[str, str], str]:
    """Return reliability and durability of the topics that a node ``publishes`` or ``hears``."""
    found = {}
    for may, topics, ask in (
        ("publishes", publishes, node.get_publishers_info_by_topic),
        ("hears", hears, node.get_subscriptions_info_by_topic),
    ):
        for topic in topics:
            for info in ask(topic):
                if info.node_name == node.get_name():
                    profile = info.qos_profile
                    words = [profile.reliability.name, profile.durability.name]
                    text = ", ".join(word.lower().replace("_", " ") for word in words)
                    found[may, topic] = text
    return found


def _sorted(seen: Sequence[Mapping[str, str]], quality: Mapping[tuple[str, str], str]) -> Endpoints:
    """Separate the services and topics of actions from the others."""
    serves = seen[2]
    acts = {
        ACTION.sub("", name): kind.removesuffix("_SendGoal")
        for name, kind in sorted(serves.items())
        if name.endswith("/_action/send_goal")
    }
    plain = [
        {name: kind for name, kind in sorted(part.items()) if not ACTION.search(name)}
        for part in seen
    ]
    return Endpoints(plain[0], plain[1], plain[2], plain[3], acts, quality)
