# SPDX-License-Identifier: MIT
"""Scenarios in which ``camera_node`` reads large or odd pictures from a topic."""

import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import Any

from rclpy.publisher import Publisher
from sensor_msgs.msg import CompressedImage, Image

from reliability.live import BrokenError, LiveGraph, live_graph
from reliability.scenario import WITHIN, Outcome, Scenario
from whispersign_msgs.msg import HandFrame
from whispersign_ros.conversions.messages import time_message
from whispersign_ros.graph.monitor import START_LIMIT
from whispersign_ros.node import qos

NODE = "camera_node"
PERIOD = 0.1  # seconds
LARGE, FEW = 60, 10  # pictures
REPORT = 2.5  # seconds in which a node reports its losses
HUGE = 60000  # pixels
UNREADABLE, TOO_FAST = "unreadable_pictures", "pictures_too_fast"


def scenarios() -> list[Scenario]:
    """Return the scenarios, each with its own graph."""
    promise = "one lost picture, which is counted; the next one is read"
    return [
        Scenario(
            "raw pictures of 1280x720 on a topic (2.8 MB each)",
            "every picture arrives: it is read, or skipped for a newer one and counted",
            large,
        ),
        Scenario(
            "one raw picture of odd width in `yuv422` among others",
            promise,
            partial(odd, "topic", raw, partial(raw, 641, 480, "yuv422")),
        ),
        Scenario(
            f"one PNG whose header asks for {HUGE}x{HUGE} pixels among others",
            promise,
            partial(odd, "compressed_topic", png, partial(png, HUGE, HUGE)),
        ),
    ]


@dataclass
class Photographer:
    """Sends pictures to ``camera_node``, and keeps the frames that it makes of them.

    Attributes:
        graph: the graph with ``camera_node``.
        publisher: of the topic that it reads.
        sent: number of pictures.
        frames: what came of them.
    """

    graph: LiveGraph
    publisher: Publisher
    sent: int = 0
    frames: list[HandFrame] = field(default_factory=list)

    def send(self, make: Callable[[], Any], count: int = 1) -> None:
        """Send pictures at a steady rate."""
        for _ in range(count):
            message = make()
            message.header.stamp = time_message(time.time_ns())
            self.publisher.publish(message)
            self.sent += 1
            self.graph.spin(PERIOD)

    def lost(self, cause: str) -> int:
        """Return how many pictures the node has counted as lost."""
        return self.graph.drops().get(NODE, {}).get(cause, 0)

    def check_all(self) -> None:
        """Check that each picture was read or counted.

        Raises:
            BrokenError: one is missing.
        """
        self.graph.spin(REPORT)
        counted = self.lost(UNREADABLE) + self.lost(TOO_FAST)
        if len(self.frames) + counted < self.sent:
            found = f"{len(self.frames)} read and {counted} counted as lost"
            raise BrokenError(f"of {self.sent} pictures, {found}")


@contextmanager
def photographer(source: str, make: Callable[[], Any]) -> Iterator[Photographer]:
    """Yield a photographer whose pictures ``camera_node`` already reads."""
    compressed = source == "compressed_topic"
    kind, topic = (CompressedImage, "image/compressed") if compressed else (Image, "image")
    with live_graph({NODE: {"input": source}}) as graph:
        found = Photographer(graph, qos.publish(graph.monitor, kind, topic, qos.IMAGES))
        qos.subscribe(graph.monitor, HandFrame, "hands/raw", qos.HANDS_INPUT, found.frames.append)
        graph.until(found.publisher.get_subscription_count, "the camera", START_LIMIT)
        while not found.frames:  # the detector loads with the first picture
            found.send(make)
        graph.spin(REPORT)
        found.sent = len(found.frames) + found.lost(TOO_FAST) + found.lost(UNREADABLE)
        yield found


def large() -> Outcome:
    """Send raw pictures of a size that best effort would lose."""
    if not find_spec("mediapipe"):
        return Outcome("not run: MediaPipe is missing", None, "")
    make = partial(raw, 1280, 720, "bgr8")
    with photographer("topic", make) as camera:
        camera.send(make, LARGE)
        camera.check_all()
        skipped = camera.lost(TOO_FAST)
        if len(camera.frames) < camera.sent / 2:
            raise BrokenError(f"{len(camera.frames)} of {camera.sent} pictures read")
        lost = f"{skipped} of {camera.sent} pictures, skipped" if skipped else "nothing"
        return Outcome(f"{len(camera.frames)} of {camera.sent} pictures read", None, lost)


def odd(source: str, usual: Callable[[], Any], strange: Callable[[], Any]) -> Outcome:
    """Send one odd picture among others."""
    if not find_spec("mediapipe"):
        return Outcome("not run: MediaPipe is missing", None, "")
    with photographer(source, usual) as camera:
        camera.send(usual, FEW)
        before = camera.lost(UNREADABLE)
        camera.send(strange)
        read, begin = len(camera.frames), time.monotonic()
        while len(camera.frames) == read:
            if time.monotonic() - begin > WITHIN:
                raise BrokenError(f"no picture read within {WITHIN:g} s")
            camera.send(usual)
        again = time.monotonic() - begin
        camera.send(usual, FEW)
        camera.check_all()
        counted = camera.lost(UNREADABLE) - before
    if counted != 1:
        raise BrokenError(f"{counted} pictures counted as {UNREADABLE}")
    return Outcome(f"`{NODE}` counted 1 of {UNREADABLE.replace('_', ' ')}", again, "that picture")


def raw(width: int = 640, height: int = 480, encoding: str = "bgr8") -> Image:
    """Return a gray picture."""
    step = width * (2 if encoding == "yuv422" else 3)
    data = bytes([128]) * (step * height)
    return Image(width=width, height=height, encoding=encoding, step=step, data=data)


def png(width: int = 64, height: int = 48) -> CompressedImage:
    """Return a gray picture of 64x48 pixels as PNG, whose header may state another size."""
    rows = (b"\0" + bytes([128]) * 64) * 48
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
    return CompressedImage(format="png", data=data)
