# SPDX-License-Identifier: MIT
"""A frame source for ``CameraSensor`` that reads the color stream of an Intel RealSense."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import numpy as np
import pyrealsense2 as rs

from whispersign_model.errors import SensorError
from whispersign_model.sensors.clock import DeviceClock
from whispersign_model.sensors.frame_source import Picture
from whispersign_model.sensors.intrinsics import Intrinsics


class RealSense:
    """A ``FrameSource`` that reads the RealSense with a given serial number."""

    host_clock = True  # ``read`` converts the device's time to the host's

    def __init__(self, serial: str, width: int = 1280, height: int = 720, rate: int = 30) -> None:
        self.drops: Counter[str] = Counter()
        self._config = rs.config()
        self._config.enable_device(serial)
        self._config.enable_stream(rs.stream.color, width, height, rs.format.bgr8, rate)
        self._pipeline: Any = None

    def open(self) -> None:
        """Start the stream; raise SensorError if the device is missing."""
        pipeline = rs.pipeline()
        try:
            stream = pipeline.start(self._config).get_stream(rs.stream.color)
        except RuntimeError as error:
            raise SensorError("realsense", f"cannot be opened ({error})", "plug it in") from error
        lens = stream.as_video_stream_profile().get_intrinsics()
        self._pipeline, self._clock = pipeline, DeviceClock()
        self._lens = Intrinsics(lens.width, lens.height, (lens.fx, lens.fy), (lens.ppx, lens.ppy))

    def read(self, timeout: float) -> Picture | None:
        """Return the next frame, or None if no frame arrives within ``timeout`` seconds."""
        try:
            there, frames = self._pipeline.try_wait_for_frames(round(1000 * timeout))
        except RuntimeError as error:
            raise SensorError("realsense", f"is not connected ({error})", "plug it in") from error
        frame = frames.get_color_frame() if there else None
        if not frame:
            return None
        device_time = round(frame.get_timestamp() * 1_000_000)  # from milliseconds
        stamp = self._clock.host(device_time, time.monotonic_ns())
        return Picture(stamp, np.array(frame.get_data()), self._lens)

    def close(self) -> None:
        """Stop the stream."""
        if self._pipeline is not None:
            self._pipeline.stop()
        self._pipeline = None
