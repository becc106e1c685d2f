# SPDX-License-Identifier: MIT
"""Video files of noise, whole and damaged, in the formats that OpenCV can write."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

CODECS = {".webm": "VP80", ".avi": "MJPG", ".flv": "FLV1", ".wmv": "WMV2"}  # others: mp4v


def write_video(path: Path, frames: int = 100, size: tuple[int, int] = (64, 48)) -> Path:
    """Write noise at 25 Hz, or skip the test where OpenCV lacks the encoder."""
    codec = cv2.VideoWriter.fourcc(*CODECS.get(path.suffix.lower(), "mp4v"))
    writer = cv2.VideoWriter(str(path.absolute()), cv2.CAP_FFMPEG, codec, 25.0, size)
    if not writer.isOpened():
        pytest.skip(f"OpenCV cannot write {path.suffix}")
    generator = np.random.default_rng(0)
    for _ in range(frames):
        writer.write(generator.integers(0, 255, (size[1], size[0], 3), np.uint8))
    writer.release()
    return path


def damage(path: Path, first: float = 0.4, last: float = 0.6) -> Path:
    """Overwrite a part of a file, given as shares of its length, with noise."""
    content = bytearray(path.read_bytes())
    start, end = (round(share * len(content)) for share in (first, last))
    content[start:end] = np.random.default_rng(1).bytes(end - start)
    path.write_bytes(content)
    return path


def cut_off(path: Path, share: float = 0.6) -> Path:
    """Keep only the beginning of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: round(share * len(content))])
    return path


def lengthen_header(path: Path, seconds: float) -> Path:
    """State another duration in the header of a WebM file, as a longer sound track does."""
    content = path.read_bytes()
    place = content.index(b"\x44\x89\x88") + 3
    duration = struct.pack(">d", 1000 * seconds)
    path.write_bytes(content[:place] + duration + content[place + 8 :])
    return path
