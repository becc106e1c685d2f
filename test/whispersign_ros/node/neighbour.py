# SPDX-License-Identifier: MIT
"""A plain node that looks for others: python neighbour.py SECONDS [speak] [ENOUGH].

With ``speak`` it publishes frames on ``hands/raw``. It ends after SECONDS, or once it has received
ENOUGH frames and knows who is there: names of nodes can arrive after their messages. It writes what
it saw to stdout as JSON: nodes, topics, and messages received.
"""

from __future__ import annotations

import json
import sys
import time

import rclpy
from diagnostic_msgs.msg import DiagnosticArray

from whispersign_msgs.msg import HandFrame
from whispersign_ros.node import qos

NAME = "neighbour"
PERIOD = 1 / 60  # seconds between frames


def topics_of_others(node):
    """Return the topics that a node other than this one publishes or subscribes to."""
    found = []
    for topic, _ in node.get_topic_names_and_types():
        ends = node.get_publishers_info_by_topic(topic)
        ends += node.get_subscriptions_info_by_topic(topic)
        if any(end.node_name != NAME for end in ends):
            found.append(topic)
    return found


def others(node):
    """Return the names of the other nodes."""
    return [name for name in node.get_node_names() if name != NAME]


def main(seconds, speaks, enough):
    rclpy.init()
    node = rclpy.create_node(NAME)
    frames, reports = [], []
    node.create_subscription(HandFrame, "hands/filtered", frames.append, qos.HANDS)
    node.create_subscription(DiagnosticArray, "/diagnostics", reports.append, 10)
    publisher = node.create_publisher(HandFrame, "hands/raw", qos.HANDS)
    end = time.monotonic() + seconds
    sequence = 0
    while time.monotonic() < end and not (len(frames) >= enough and others(node)):
        rclpy.spin_once(node, timeout_sec=PERIOD)
        if speaks:
            frame = HandFrame(sequence=sequence, coordinates=HandFrame.METRIC_SENSOR)
            frame.header.stamp = node.get_clock().now().to_msg()
            publisher.publish(frame)
            sequence += 1
    seen = {"nodes": others(node), "topics": topics_of_others(node)}
    print(json.dumps({**seen, "frames": len(frames), "reports": len(reports)}), flush=True)
    rclpy.shutdown()


if __name__ == "__main__":
    enough = int(sys.argv[3]) if len(sys.argv) > 3 else sys.maxsize
    main(float(sys.argv[1]), "speak" in sys.argv[2:], enough)
