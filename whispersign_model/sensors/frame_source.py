# SPDX-License-Identifier: MIT
"""Pictures, and the interface of their sources."""

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from whispersign_model.sensors.detector import Image
from whispersign_model.sensors.intrinsics import Intrinsics


@dataclass(frozen=True)
class Picture:
    """A picture at its capture time.

    Attributes:
        stamp: nanoseconds.
        pixels: ``(H, W, 3)`` uint8, BGR.
        intrinsics: the camera's intrinsics, if the picture came with them.
    """

    stamp: int
    pixels: Image
    intrinsics: Intrinsics | None = None


class FrameSource(Protocol):
    """A source of pictures.

    Attributes:
        host_clock: see ``Sensor``.
    """

    host_clock: bool

    @property
    def drops(self) -> Counter[str]:
        """Lost pictures by cause."""

    def open(self) -> None:
        """Open the source; raises SensorError if it is missing."""

    def read(self, timeout: float) -> Picture | None:
        """Return the next picture, or None on timeout; raises like ``Sensor.read``."""

    def close(self) -> None:
        """Release what ``open`` acquired."""


def in_colour(pixels: np.ndarray) -> Image:
    """Convert any picture to ``(H, W, 3)`` uint8, BGR."""
    if pixels.dtype != np.uint8:
        pixels = cv2.convertScaleAbs(pixels, alpha=1 / 256 if pixels.dtype == np.uint16 else 1.0)
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
    if pixels.shape[2] == 4:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), dtype=np.uint8)
    return np.asarray(pixels, dtype=np.uint8)
