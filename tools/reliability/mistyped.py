# SPDX-License-Identifier: MIT
"""A process that publishes the wrong message type on the topic of hands."""

import time

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import String

PERIOD = 0.02  # seconds


def main() -> None:
    """Publish until the process ends."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    publisher = Node("mistyped").create_publisher(String, "hands/raw", 10)
    while True:
        publisher.publish(String(data="not a hand"))
        time.sleep(PERIOD)


if __name__ == "__main__":
    main()
