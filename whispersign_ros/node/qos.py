# SPDX-License-Identifier: MIT
"""QoS profiles of all topics, and endpoints that accept QoS overrides.

Publishers and subscriptions of hands and images are reliable, so that no frame is lost. If a
publisher is best effort, as sensor drivers often are, the subscription becomes best effort too.
"""

import threading
from collections.abc import Callable
from copy import copy
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from whispersign_msgs.msg import HandFrame

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ModuleNotFoundError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks


def _profile(
    depth: int,
    reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE,
    durability: DurabilityPolicy = DurabilityPolicy.VOLATILE,
) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability, durability=durability
    )


# A writer keeps 1 s of hands at 120 Hz. With 10 frames, which a busy machine fills while a process
# waits for the CPU, one frame in five was lost. A reader of a recording keeps 20 s, like
# recognition_node's own queue: with queues of 5 s, a pipeline on a quarter of a core lost one frame
# in five. The queue takes memory only while frames wait. A reader of a live sensor keeps 0.5 s,
# because older frames are worthless.
HANDS = _profile(120)  # hands/raw, hands/filtered
HANDS_INPUT = _profile(2400)
HANDS_INPUT_LIVE = _profile(60)
FEATURES = _profile(120)  # hands/features: 2 s at 60 Hz; a lost step costs recognition
FEATURES_INPUT = _profile(1200)
FEATURES_INPUT_LIVE = _profile(30)
HEARTBEAT = _profile(10, ReliabilityPolicy.BEST_EFFORT)  # of features; shows every publisher
GLOSS = _profile(50)  # gloss: final results
GLOSS_PARTIAL = _profile(50, ReliabilityPolicy.BEST_EFFORT)
VOCABULARY = _profile(1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
STATE = RECIPE = VOCABULARY  # prompt, recipe
COMMAND_STATE = _profile(10, durability=DurabilityPolicy.TRANSIENT_LOCAL)  # every change
COMMAND = _profile(1)  # topics that command_node publishes: only the newest message counts
COMMAND_INPUT = _profile(10, ReliabilityPolicy.BEST_EFFORT)  # matches every publisher of cmd_vel
ANNOTATION = _profile(50)
DIAGNOSTICS = _profile(10)
CLOCK = _profile(1, ReliabilityPolicy.BEST_EFFORT)  # as rclpy subscribes to /clock
# An image is sent as many packets. Best effort loses the whole image with any one of them, so an
# image of more than 0.5 MB hardly ever arrives.
IMAGES_INPUT = _profile(5)
IMAGES_RECORDED = _profile(30)  # 1 s at 30 Hz, while the recorder writes to a slow disk
IMAGES = _profile(5)
MARKERS = _profile(10)
POSE = _profile(10)  # robot_pose


def publish(node: Node, message_type: type, topic: str, profile: QoSProfile) -> Publisher:
    """Create a publisher; parameters ``qos_overrides.TOPIC.publisher.*`` override its profile."""
    own = copy(profile)  # rclpy writes the overrides into the given profile
    overriding = QoSOverridingOptions.with_default_policies()
    return node.create_publisher(message_type, topic, own, qos_overriding_options=overriding)


def subscribe(
    node: Node,
    message_type: type,
    topic: str,
    profile: QoSProfile,
    callback: Callable[..., None],
    raw: bool = False,
) -> Subscription:
    """Create a subscription; ``qos_overrides.TOPIC.subscription.*`` override its profile.

    With ``raw`` the callback receives the serialised bytes. A callback that requires two
    arguments also receives the message's info.
    """
    overriding = QoSOverridingOptions.with_default_policies()
    return node.create_subscription(
        message_type, topic, callback, copy(profile), raw=raw, qos_overriding_options=overriding
    )


class AdaptiveSubscription:
    """A reliable subscription that becomes best effort if a publisher is best effort.

    Any thread may create and destroy it.

    Args:
        node: owns the subscription.
        message_type: type of the messages.
        topic: topic name.
        callback: receives each message, and its info if it requires two arguments.
        profile: of the queue; the reliability may become less.
        raw: pass the serialised bytes to the callback.
    """

    def __init__(
        self,
        node: Node,
        message_type: type,
        topic: str,
        callback: Callable[..., None],
        profile: QoSProfile,
        raw: bool = False,
    ) -> None:
        self._node = node
        self._type = message_type
        self._topic = topic
        self._callback = callback
        self._raw = raw
        self._lock = threading.Lock()  # the executor's thread may call _meet at any time
        self._destroyed = False
        overriding = QoSOverridingOptions.with_default_policies()
        with self._lock:
            self._subscription = self._subscribe(copy(profile), overriding)

    def destroy(self) -> None:
        """Unsubscribe."""
        with self._lock:
            self._destroyed = True
            self._node.destroy_subscription(self._subscription)

    def _subscribe(
        self, profile: QoSProfile, overriding: QoSOverridingOptions | None = None
    ) -> Subscription:
        return self._node.create_subscription(
            self._type,
            self._topic,
            self._callback,
            profile,
            raw=self._raw,
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=self._meet),
            qos_overriding_options=overriding,
        )

    def _meet(self, _: Any) -> None:
        """Switch to best effort, because a publisher does not offer reliable delivery."""
        with self._lock:
            profile = copy(self._subscription.qos_profile)
            if self._destroyed or profile.reliability == ReliabilityPolicy.BEST_EFFORT:
                return  # already requests the minimum
            profile.reliability = ReliabilityPolicy.BEST_EFFORT
            topic = self._subscription.topic_name
            self._node.get_logger().info(
                f"a publisher of {topic} is best effort; using best effort too"
            )
            self._node.destroy_subscription(self._subscription)
            self._subscription = self._subscribe(profile)


class HandsInput(AdaptiveSubscription):
    """An adaptive subscription to HandFrame messages.

    Args:
        node: owns the subscription.
        topic: ``hands/raw`` or ``hands/filtered``.
        callback: receives each message, and its info if it requires two arguments.
        profile: of the queue; the reliability may become less.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        callback: Callable[..., None],
        profile: QoSProfile = HANDS_INPUT,
    ) -> None:
        super().__init__(node, HandFrame, topic, callback, profile)
