# SPDX-License-Identifier: MIT
"""Pictures, and the interface of the sources that provide them."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from whispersign_model.errors import SensorError
from whispersign_model.sensors.detector import Image
from whispersign_model.sensors.intrinsics import Intrinsics
from whispersign_model.streams import without_library_messages

MAX_SIDE = 32766  # pixels
DEPTHS = (8, 10, 12, 14, 16)  # significant bits of 16-bit pictures
# Our SensorError reports errors in one line, so silence the messages of OpenCV and FFmpeg.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_FATAL)


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


class DepthScale:
    """Scales the 16-bit pictures of one camera to 8 bits.

    A camera with 10 or 12 significant bits leaves the upper bits empty. The brightest pixel so far
    shows how many bits it uses; the number only grows, so that the brightness stays steady.

    Attributes:
        bits: number of significant bits; 0 before the first 16-bit picture.
    """

    def __init__(self) -> None:
        self.bits = 0

    def reduce(self, pixels: NDArray[np.uint16]) -> Image:
        """Return the eight upper significant bits of a picture of any shape."""
        brightest = int(pixels.max(initial=0))
        self.bits = max(self.bits, next(bits for bits in DEPTHS if brightest < 1 << bits))
        return (pixels >> (self.bits - 8)).astype(np.uint8)


def decode(load: Callable[[int], np.ndarray | None], scale: DepthScale) -> Image | None:
    """Decode an image file in color, with its significant bits.

    Args:
        load: decodes the file with the given ``cv2.IMREAD_*`` flags, or returns None.
        scale: of the camera that took the image.
    """
    with without_library_messages():  # of libjpeg and libpng, about damaged images
        pixels = load(cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
        if pixels is not None and pixels.dtype not in (np.uint8, np.uint16):
            pixels = load(cv2.IMREAD_COLOR)
    if pixels is not None and pixels.dtype == np.uint16:
        return scale.reduce(pixels)
    return None if pixels is None else np.asarray(pixels, dtype=np.uint8)


def require_usable(pixels: Image, source: str | Path) -> None:
    """Check the shape of a picture before detection.

    Raises:
        SensorError: the picture is empty, not in color, or too large for MediaPipe, which would end
            the process.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise SensorError(source, f"a picture of shape {pixels.shape} cannot be used")
    require_size(pixels.shape[1], pixels.shape[0], source)


def require_size(width: int, height: int, source: str | Path) -> None:
    """Check the size of a picture in pixels.

    Raises:
        SensorError: it is too large for MediaPipe, which would end the process.
    """
    if max(width, height) > MAX_SIDE:
        fault = f"a picture of {width}x{height} pixels cannot be used"
        raise SensorError(source, fault, f"no side may exceed {MAX_SIDE} pixels")


def in_colour(pixels: np.ndarray) -> Image:
    """Convert any picture to ``(H, W, 3)`` uint8, BGR."""
    if pixels.dtype != np.uint8:
        pixels = cv2.convertScaleAbs(pixels, alpha=1 / 256 if pixels.dtype == np.uint16 else 1.0)
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
    if pixels.shape[2] == 4:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), dtype=np.uint8)
    return np.asarray(pixels, dtype=np.uint8)
