# SPDX-License-Identifier: MIT
"""Pictures that a damaged or truncated video file has lost: how many of how many, and when.

A gap between two stamps is no loss in itself: screen captures and many phones store a picture only
when it changes. So a gap counts only if FFmpeg also finds the file damaged.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from whispersign_model.timestamps import NANOSECONDS

# Decodes a video and prints FFmpeg's errors. OpenCV reads the level once, so this needs a process.
_DECODE = """
import os, sys, cv2
os.dup2(1, 2)
capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG)
failures = int(sys.argv[2])
while failures > 0:
    failures -= not capture.grab()
"""
_ERRORS_ONLY = {"OPENCV_FFMPEG_LOGLEVEL": "16", "OPENCV_LOG_LEVEL": "SILENT"}


@dataclass(frozen=True)
class Loss:
    """Pictures that are missing in a time range of a file.

    Attributes:
        pictures, total: number of missing pictures, and of all pictures of the file.
        start, end: first and last time at which pictures are missing, in seconds.
        at_end: whether pictures are missing after the last one.
    """

    pictures: int
    total: int
    start: float
    end: float
    at_end: bool

    def __str__(self) -> str:
        return (
            f"{self.pictures} of {self.total} pictures cannot be read, "
            f"from {self.start:.2f} s to {self.end:.2f} s"
        )


def find_loss(stamps: Sequence[int], interval: int, number: int, end: int) -> Loss | None:
    """Return the pictures that may be missing between and after the given ones, or None.

    Args:
        stamps: capture times of the pictures in nanoseconds, which rise; not empty.
        interval: nominal time between two pictures in nanoseconds.
        number: number of pictures according to the file; 0 if unknown.
        end: end of the file in nanoseconds according to its header; 0 if unknown.
    """
    steps = np.diff(stamps)
    usual = float(np.median(steps)) if len(steps) else float(interval)
    edges = np.array([-usual, *stamps, max(end, stamps[-1] + usual)])
    absent = np.maximum(np.rint(np.diff(edges) / usual) - 1, 0).astype(int)
    missing = int(absent.sum())
    if number:
        missing = min(missing, number - len(stamps))
    if missing <= 0:
        return None
    largest = np.argsort(-absent, kind="stable")
    gaps = largest[: int(np.searchsorted(np.cumsum(absent[largest]), missing)) + 1]
    first, last = int(gaps.min()), int(gaps.max())
    return Loss(
        pictures=missing,
        total=len(stamps) + missing,
        start=max(0.0, float(edges[first])) / NANOSECONDS,
        end=float(edges[last + 1]) / NANOSECONDS,
        at_end=last == len(stamps),
    )


def is_damaged(path: Path, failures: int) -> bool:
    """Return whether FFmpeg finds an error in a video file.

    Args:
        path: the file.
        failures: number of failed reads until the end of the file is certain.
    """
    command = [sys.executable, "-c", _DECODE, str(path.absolute()), str(failures)]
    with subprocess.Popen(
        command,
        env=os.environ | _ERRORS_ONLY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as decoder:
        assert decoder.stdout is not None
        try:
            return bool(decoder.stdout.read(1))
        finally:
            decoder.kill()
