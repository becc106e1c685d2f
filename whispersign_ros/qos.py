"""Quality of service of every topic: the profiles, and endpoints whose profile can be overridden.

Publishers of hands are reliable. Subscribers to hands are best effort, so that they match every
publisher, sensor drivers with "sensor data" profiles included; their queues are deep instead.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription


def _profile(
    depth: int,
    reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE,
    durability: DurabilityPolicy = DurabilityPolicy.VOLATILE,
) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=reliability,
        durability=durability,
    )


HANDS = _profile(10)  # hands/raw, hands/filtered: what their publishers offer
HANDS_INPUT = _profile(240, ReliabilityPolicy.BEST_EFFORT)  # 2 s at 120 Hz
FEATURES = _profile(120)  # hands/features: 2 s at 60 Hz; a lost step costs recognition
GLOSS = _profile(50)  # gloss: final results
GLOSS_PARTIAL = _profile(10, ReliabilityPolicy.BEST_EFFORT)
VOCABULARY = _profile(1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
ANNOTATION = _profile(50)
DIAGNOSTICS = _profile(10)


def publish(node: Node, message_type: type, topic: str, profile: QoSProfile) -> Publisher:
    """Create a publisher; parameters ``qos_overrides.TOPIC.publisher.*`` change its profile."""
    return node.create_publisher(
        message_type,
        topic,
        copy(profile),  # rclpy writes the overrides into the profile it is given
        qos_overriding_options=QoSOverridingOptions.with_default_policies(),
    )


def subscribe(
    node: Node,
    message_type: type,
    topic: str,
    profile: QoSProfile,
    callback: Callable[[Any], None],
) -> Subscription:
    """Create a subscription; ``qos_overrides.TOPIC.subscription.*`` change its profile."""
    return node.create_subscription(
        message_type,
        topic,
        callback,
        copy(profile),
        qos_overriding_options=QoSOverridingOptions.with_default_policies(),
    )
