# SPDX-License-Identifier: MIT
"""Pictures from a local camera (V4L2)."""

import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2

from whispersign_model.errors import SensorError
from whispersign_model.sensors.frame_source import Picture, in_colour
from whispersign_model.timestamps import NANOSECONDS

OLDEST = NANOSECONDS  # a driver stamp that is older than this is on another clock
MILLISECONDS = NANOSECONDS // 1000
# Seconds that OpenCV waits for a picture from an open camera; its default is 10.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "1")


@dataclass(frozen=True)
class DeviceOptions:
    """Requested camera settings; 0 or "" keeps the driver's default."""

    width: int = 1280
    height: int = 720
    rate: float = 30.0
    pixel_format: str = "MJPG"


class Device:
    """A V4L2 camera, given by index or path, whose driver stamps the pictures.

    Driver stamps are on the clock of ``time.monotonic_ns()``. A picture without a stamp gets its
    time of arrival and counts as ``pictures_without_stamp``.
    """

    host_clock = True

    def __init__(self, device: str, options: DeviceOptions | None = None) -> None:
        self._device = device
        self._options = options or DeviceOptions()
        self.drops: Counter[str] = Counter()
        self._capture: cv2.VideoCapture | None = None
        self._last = 0

    def open(self) -> None:
        """Open the device.

        Raises:
            SensorError: the device is missing or in use.
        """
        target = int(self._device) if self._device.isdecimal() else self._device
        if isinstance(target, str) and not Path(target).exists():
            raise SensorError(target, "there is no such device", "plug it in, or check the path")
        self._capture = cv2.VideoCapture(target, cv2.CAP_V4L2)
        if not self._capture.isOpened():
            raise SensorError(
                f"camera {self._device}", "cannot be opened", "plug it in; is it in use elsewhere?"
            )
        options = self._options
        if options.pixel_format:
            code = cv2.VideoWriter.fourcc(*options.pixel_format)
            self._capture.set(cv2.CAP_PROP_FOURCC, code)
        for key, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, options.width),
            (cv2.CAP_PROP_FRAME_HEIGHT, options.height),
            (cv2.CAP_PROP_FPS, options.rate),
        ):
            if value:
                self._capture.set(key, value)

    def read(self, timeout: float) -> Picture | None:
        """Wait for the next picture.

        Raises:
            SensorError: the camera was disconnected.
        """
        assert self._capture is not None
        there, pixels = self._capture.read()
        now = time.monotonic_ns()
        if not there or pixels is None:
            raise SensorError(f"camera {self._device}", "delivers no pictures", "is it unplugged?")
        stamp = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * MILLISECONDS)
        if not now - OLDEST < stamp <= now:
            stamp = now
            self.drops["pictures_without_stamp"] += 1
        if stamp <= self._last:
            self.drops["pictures_out_of_order"] += 1
            return None
        self._last = stamp
        try:
            return Picture(stamp, in_colour(pixels))
        except Exception:  # one odd picture must not end the stream
            self.drops["unreadable_pictures"] += 1
            return None

    def close(self) -> None:
        """Release the device."""
        if self._capture is not None:
            self._capture.release()
        self._capture = None
