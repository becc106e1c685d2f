# SPDX-License-Identifier: MIT
"""Convert ``sensor_msgs`` images to and from arrays, without cv_bridge."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from whispersign_model.errors import ConfigError, SensorError
from whispersign_model.sensors.intrinsics import Intrinsics
from whispersign_ros.conversions.messages import nanoseconds
from whispersign_ros.node import qos

if TYPE_CHECKING:
    from whispersign_model.sensors.frame_source import DepthScale

Pixels = NDArray[np.uint8]  # (H, W, 3), blue green red

# Encoding: bytes per pixel, and OpenCV's conversion to blue green red ("" for none).
ENCODINGS = {
    "bgr8": (3, ""),
    "8UC3": (3, ""),
    "rgb8": (3, "COLOR_RGB2BGR"),
    "bgra8": (4, "COLOR_BGRA2BGR"),
    "8UC4": (4, "COLOR_BGRA2BGR"),
    "rgba8": (4, "COLOR_RGBA2BGR"),
    "mono8": (1, "COLOR_GRAY2BGR"),
    "8UC1": (1, "COLOR_GRAY2BGR"),
    "mono16": (2, "COLOR_GRAY2BGR"),
    "16UC1": (2, "COLOR_GRAY2BGR"),
    "yuv422": (2, "COLOR_YUV2BGR_UYVY"),
    "uyvy": (2, "COLOR_YUV2BGR_UYVY"),
    "yuv422_yuy2": (2, "COLOR_YUV2BGR_YUY2"),
    "yuyv": (2, "COLOR_YUV2BGR_YUY2"),
    # OpenCV names a Bayer pattern after its second row.
    "bayer_rggb8": (1, "COLOR_BayerBG2BGR"),
    "bayer_bggr8": (1, "COLOR_BayerRG2BGR"),
    "bayer_gbrg8": (1, "COLOR_BayerGR2BGR"),
    "bayer_grbg8": (1, "COLOR_BayerGB2BGR"),
}
SIXTEEN_BITS = ("mono16", "16UC1")
FAULT_PERIOD = 2.0  # seconds for which an unreadable image explains a silence


def read_image(message: Image, scale: DepthScale | None = None) -> Pixels:
    """Convert an Image to an array.

    Args:
        message: in one of ``ENCODINGS``.
        scale: of the camera, for 16-bit images; None judges by this image alone.

    Raises:
        SensorError: the encoding is unknown, the data does not match the size, or OpenCV cannot
            convert it.
    """
    import cv2

    if message.encoding not in ENCODINGS:
        known = ", ".join(ENCODINGS)
        raise SensorError("image", f"encoding '{message.encoding}' is unknown", f"known: {known}")
    depth, conversion = ENCODINGS[message.encoding]
    data = np.frombuffer(message.data, dtype=np.uint8)
    row, size = message.width * depth, message.step * message.height
    if not row or not size or message.step < row or len(data) < size:
        raise SensorError(
            "image",
            f"{len(data)} bytes are not {message.width}x{message.height} {message.encoding}"
            f" with {message.step} bytes per row",
        )
    rows = data[:size].reshape(message.height, message.step)[:, :row]
    if message.encoding in SIXTEEN_BITS:
        from whispersign_model.sensors.frame_source import DepthScale

        order = ">u2" if message.is_bigendian else "<u2"
        wide = np.ascontiguousarray(rows).view(order).astype(np.uint16)
        rows, depth = (scale or DepthScale()).reduce(wide), 1
    shape = (message.height, message.width, depth)[: 2 if depth == 1 else 3]
    pixels = np.ascontiguousarray(rows.reshape(shape))
    if not conversion:
        return pixels
    try:
        return np.asarray(cv2.cvtColor(pixels, getattr(cv2, conversion)), dtype=np.uint8)
    except Exception as error:  # for example, yuv422 needs an even width
        kind = f"{message.width}x{message.height} {message.encoding}"
        fault = f"{kind} cannot be converted to color"
        raise SensorError("image", f"{fault} ({type(error).__name__}: {error})") from error


def read_compressed(message: CompressedImage, scale: DepthScale | None = None) -> Pixels:
    """Convert a CompressedImage (JPEG, PNG) to an array.

    Args:
        message: the encoded image.
        scale: of the camera, for 16-bit images; None judges by this image alone.

    Raises:
        SensorError: the image cannot be decoded.
    """
    import cv2

    from whispersign_model.sensors.frame_source import DepthScale, decode

    data = np.frombuffer(message.data, dtype=np.uint8)
    try:
        load = partial(cv2.imdecode, data)
        pixels = decode(load, scale or DepthScale()) if len(data) else None
    except Exception as error:  # for example, of a header that asks for 60000x60000 pixels
        fault = f"{len(data)} bytes cannot be decoded ({type(error).__name__}: {error})"
        raise SensorError("image/compressed", fault) from error
    if pixels is None:
        raise SensorError("image/compressed", f"{len(data)} bytes are not a JPEG or PNG image")
    return np.asarray(pixels, dtype=np.uint8)


def image_message(pixels: Pixels, header: Header) -> Image:
    """Build an Image in ``bgr8``."""
    height, width = pixels.shape[:2]
    message = Image(height=height, width=width, encoding="bgr8", step=3 * width, header=header)
    message.data = np.ascontiguousarray(pixels).tobytes()
    return message


def read_camera_info(message: CameraInfo) -> Intrinsics:
    """Convert a CameraInfo to intrinsics.

    Raises:
        ConfigError: the camera is not calibrated.
    """
    return Intrinsics.calibrated(
        (message.width, message.height),
        tuple(float(value) for value in message.k),
        message.distortion_model,
        tuple(float(value) for value in message.d),
        "camera_info",
    )


class TopicPictures:
    """A ``FrameSource`` that reads images from a topic and keeps their stamps.

    Args:
        node: owns the subscriptions.
        compressed: subscribe to ``image/compressed`` instead of ``image``.
    """

    host_clock = False

    def __init__(self, node: Node, compressed: bool) -> None:
        from whispersign_model.sensors.background_reader import LatestValue

        self._node = node
        self._compressed = compressed
        self._topic = "image/compressed" if compressed else "image"
        self._latest: LatestValue[Any] = LatestValue()
        self._intrinsics: Intrinsics | None = None
        self._scale: DepthScale | None = None
        self._unreadable: Counter[str] = Counter()
        self._subscriptions: list[qos.AdaptiveSubscription] = []
        self._last_fault, self._last_fault_at = "", -FAULT_PERIOD

    @property
    def drops(self) -> Counter[str]:
        """Number of lost images by cause."""
        return self._unreadable + Counter(pictures_too_fast=self._latest.dropped)

    def open(self) -> None:
        """Subscribe."""
        from whispersign_model.sensors.frame_source import DepthScale

        self._scale = DepthScale()
        topics = (
            (CompressedImage if self._compressed else Image, self._topic, self._latest.put),
            (CameraInfo, "camera_info", self._on_camera_info),
        )
        self._subscriptions = [
            qos.AdaptiveSubscription(self._node, kind, topic, callback, qos.IMAGES_INPUT)
            for kind, topic, callback in topics
        ]

    def read(self, timeout: float) -> Any:
        """Return the newest image; count an unreadable one as dropped."""
        from whispersign_model.sensors.frame_source import Picture, require_usable

        message = self._latest.take(timeout)
        if message is None:
            return None
        try:
            pixels = self._decode(message)
            require_usable(pixels, self._topic)
        except Exception as error:  # one odd image must not end the stream
            self._unreadable["unreadable_pictures"] += 1
            known = isinstance(error, SensorError)
            fault = str(error) if known else f"{type(error).__name__}: {error}"
            self._last_fault, self._last_fault_at = fault, time.monotonic()
            self._node.get_logger().warning(fault, throttle_duration_sec=10.0)
            return None
        return Picture(nanoseconds(message.header.stamp), pixels, self._intrinsics)

    def _decode(self, message: Any) -> Pixels:
        assert self._scale is not None
        before = self._scale.bits
        read = read_compressed if self._compressed else read_image
        pixels = read(message, self._scale)
        if self._scale.bits != before:
            text = f"the 16-bit images use {self._scale.bits} significant bits"
            self._node.get_logger().info(text)
        return pixels

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            subscription.destroy()
        self._subscriptions = []

    def explain_silence(self) -> SensorError:
        """Return why no image has come for some time. This method is thread-safe."""
        topic = self._node.resolve_topic_name(self._topic)
        if time.monotonic() - self._last_fault_at < FAULT_PERIOD:
            return SensorError(topic, f"images arrive but cannot be read: {self._last_fault}")
        publishers = self._node.get_publishers_info_by_topic(topic)
        wanted = f"sensor_msgs/msg/{'CompressedImage' if self._compressed else 'Image'}"
        others = sorted({each.topic_type for each in publishers} - {wanted})
        if not publishers:
            fault, remedy = "has no publisher", "start the node of the camera, or remap the topic"
        elif all(each.topic_type != wanted for each in publishers):
            fault, remedy = f"is of type {others[0]}, not {wanted}", "check parameter 'input'"
        elif any(
            each.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT for each in publishers
        ):
            fault = "no image arrives, and a publisher is best effort, which loses large images"
            remedy = "make the publisher reliable, or use input:=compressed_topic"
        else:
            fault, remedy = "has a publisher that sends no images", "check the node of the camera"
        return SensorError(topic, fault, remedy)

    def _on_camera_info(self, message: CameraInfo) -> None:
        try:
            self._intrinsics = read_camera_info(message)
        except ConfigError as error:
            self._intrinsics = None
            self._node.get_logger().warning(f"{error}", throttle_duration_sec=60.0)
