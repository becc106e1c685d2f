# SPDX-License-Identifier: MIT
"""A process that publishes 50 raw images of 640x480 at 30 Hz once somebody subscribes.

Inside a process, DDS hands images over in memory, and none of them can get lost.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

NUMBER = 50


@contextmanager
def large_images(topic: str) -> Iterator[None]:
    """Publish the images while the context is active."""
    process = subprocess.Popen([sys.executable, __file__, topic], stdin=subprocess.PIPE)
    try:
        yield
    finally:
        process.communicate()  # ends its input, and with it the process


def main() -> None:
    """Publish on the topic that the command line names, and wait for the end of the input."""
    import rclpy
    from sensor_msgs.msg import Image

    rclpy.init(args=[])
    node = rclpy.create_node("large_images")
    publisher = node.create_publisher(Image, sys.argv[1], NUMBER)
    while not publisher.get_subscription_count():
        time.sleep(0.02)
    image = Image(width=640, height=480, encoding="bgr8", step=1920, data=bytes(921600))
    for number in range(NUMBER):
        image.header.stamp.sec = 1 + number
        publisher.publish(image)
        time.sleep(1 / 30)
    sys.stdin.read()


if __name__ == "__main__":
    main()
