# SPDX-License-Identifier: MIT
"""A process that subscribes reliably to every topic of the graph and never reads.

Parameter ``topics`` names topics of type std_msgs/String instead.
"""

import time

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import String

from whispersign_msgs.msg import Gloss, HandFeatures, HandFrame
from whispersign_ros.node import qos

TOPICS = (
    (HandFrame, "hands/raw", qos.HANDS_INPUT),
    (HandFrame, "hands/filtered", qos.HANDS_INPUT),
    (HandFeatures, "hands/features", qos.FEATURES_INPUT),
    (Gloss, "gloss", qos.GLOSS),
)


def main() -> None:
    """Subscribe, announce it on stdout, and read nothing until the process ends."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = Node("stalled", automatically_declare_parameters_from_overrides=True)
    named = node.get_parameter("topics").value if node.has_parameter("topics") else ()
    strings = [(String, topic, qos.GLOSS) for topic in named]
    for kind, topic, profile in strings or TOPICS:
        qos.subscribe(node, kind, topic, profile, lambda message: None)
    print("listens", flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
