# SPDX-License-Identifier: MIT
"""Pictures, and the interface of the sources that provide them."""

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from whispersign_model.sensors.detector import Image
from whispersign_model.sensors.intrinsics import Intrinsics


@dataclass(frozen=True)
class Picture:
    """A picture with its capture time.

    Attributes:
        stamp: capture time in nanoseconds.
        pixels: ``(H, W, 3)`` uint8, BGR.
        intrinsics: intrinsics of the camera, if they came with the picture.
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
        """Return lost pictures by cause."""

    def open(self) -> None:
        """Open the source; raise SensorError if it is missing."""

    def read(self, timeout: float) -> Picture | None:
        """Return the next picture, or None on timeout; raise errors as ``Sensor.read`` does."""

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
