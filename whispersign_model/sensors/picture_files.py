# SPDX-License-Identifier: MIT
"""Pictures from video files and image folders, at full speed or in real time."""

import time
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2

from whispersign_model.errors import SensorError
from whispersign_model.files import require_file
from whispersign_model.sensors.collection import IMAGE_SUFFIXES, images_in
from whispersign_model.sensors.detector import Image
from whispersign_model.sensors.frame_source import (
    DepthScale,
    Picture,
    decode,
    in_colour,
    require_usable,
)
from whispersign_model.sensors.sensor import SensorEndError
from whispersign_model.timestamps import NANOSECONDS

ASSUMED_RATE = 30.0  # pictures per second for files that do not state a rate
MILLISECONDS = NANOSECONDS // 1000


class VideoFile:
    """The pictures of a video file, with stamps that count from its start.

    A stamp that is missing, repeats or goes back is counted and replaced by the previous stamp plus
    the frame interval.

    Attributes:
        number: number of pictures according to the header; 0 if unknown.
    """

    host_clock = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.drops: Counter[str] = Counter()
        self.number = 0
        self.invented_stamps = 0
        self._capture: cv2.VideoCapture | None = None
        self._last = -1
        self._delivered = 0

    def open(self) -> None:
        """Open the file.

        Raises:
            SensorError: the file is missing or OpenCV cannot read it.
        """
        if not self.path.exists():
            raise SensorError(self.path, "there is no such file", "check the path")
        require_file(self.path, SensorError)
        self._capture = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise SensorError(self.path, "is not a video that can be read", "convert it to MP4")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self._interval = round(NANOSECONDS / (rate if 1 <= rate <= 1000 else ASSUMED_RATE))
        self.number = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self._last, self._delivered = -1, 0

    def read(self, timeout: float) -> Picture | None:
        """Return the next picture.

        Raises:
            SensorEndError: the file has ended.
            SensorError: the file contains no picture.
        """
        assert self._capture is not None
        there, pixels = self._capture.read()
        if not there:
            if not self._delivered:
                raise SensorError(self.path, "holds no picture that can be read", "replace it")
            self.drops["unreadable_pictures"] = max(0, self.number - self._delivered)
            raise SensorEndError
        stamp = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * MILLISECONDS)
        if stamp <= self._last:
            stamp = self._last + self._interval
            self.invented_stamps += 1
        self._last = stamp
        self._delivered += 1
        return Picture(stamp, in_colour(pixels))

    def close(self) -> None:
        """Close the file."""
        if self._capture is not None:
            self._capture.release()
        self._capture = None


class ImageFolder:
    """The images of a folder in natural order of their names, at a given rate.

    Attributes:
        number: number of images in the folder.
    """

    host_clock = False

    def __init__(self, path: Path, rate: float = ASSUMED_RATE) -> None:
        self.path = path
        self.drops: Counter[str] = Counter()
        self.number = 0
        self._rate = rate
        self._scale = DepthScale()
        self._next = 0

    def open(self) -> None:
        """List the folder.

        Raises:
            SensorError: the folder is missing or contains no image.
        """
        self._files = images_in(self.path)
        if not self._files:
            raise SensorError(self.path, "holds no image", f"known: {', '.join(IMAGE_SUFFIXES)}")
        self.number = len(self._files)
        self._scale = DepthScale()
        self._next = 0

    def read(self, timeout: float) -> Picture | None:
        """Return the next readable image; skip and count unreadable ones.

        Raises:
            SensorEndError: there are no more images.
        """
        while self._next < len(self._files):
            index, self._next = self._next, self._next + 1
            pixels = self._load(self._files[index])
            if pixels is not None:
                return Picture(round(index * NANOSECONDS / self._rate), pixels)
            self.drops["unreadable_pictures"] += 1
        raise SensorEndError

    def _load(self, path: Path) -> Image | None:
        """Return an image, or None if it is unreadable."""
        try:
            pixels = decode(partial(cv2.imread, str(path)), self._scale)
            if pixels is None:
                return None
            require_usable(pixels, path)
        except Exception:  # a decoder may raise anything, and one odd file must not end the folder
            return None
        return pixels

    def close(self) -> None:
        """Do nothing, because no file stays open."""


class Excerpt:
    """The pictures of a file within a time range of its stamps.

    Args:
        source: the file to read.
        start: seconds from the start of the file.
        duration: length in seconds; None reads to the end.
    """

    host_clock = False

    def __init__(
        self, source: VideoFile | ImageFolder, start: float = 0.0, duration: float | None = None
    ) -> None:
        self._source = source
        self._first = round(start * NANOSECONDS)
        self._last = None if duration is None else self._first + round(duration * NANOSECONDS)
        self.drops = source.drops

    def open(self) -> None:
        """Open the file."""
        self._source.open()

    def read(self, timeout: float) -> Picture | None:
        """Return the next picture in the range; skip those before it."""
        while True:
            picture = self._source.read(timeout)
            if picture is None or picture.stamp >= self._first:
                break
        if picture is not None and self._last is not None and picture.stamp > self._last:
            raise SensorEndError
        return picture

    def close(self) -> None:
        """Close the file."""
        self._source.close()


class Played:
    """Plays a file as if it were a camera, with stamps on the host's clock.

    Args:
        source: the file, with stamps that count from its start.
        paced: whether to return each picture at its time rather than immediately.
    """

    host_clock = True

    def __init__(self, source: VideoFile | ImageFolder, paced: bool = True) -> None:
        self._source = source
        self._paced = paced
        self.drops = source.drops
        self._begin = 0
        self._waiting: Picture | None = None

    def open(self) -> None:
        """Open the file; the clock starts with the first picture."""
        self._source.open()
        self._begin, self._waiting = 0, None

    def read(self, timeout: float) -> Picture | None:
        """Wait until the next picture is due and return it, or None on timeout."""
        picture = self._waiting or self._source.read(timeout)
        if picture is None:
            return None
        self._begin = self._begin or time.monotonic_ns() - picture.stamp
        stamp = self._begin + picture.stamp
        early = (stamp - time.monotonic_ns()) / NANOSECONDS if self._paced else 0.0
        if early > timeout:
            self._waiting = picture
            time.sleep(timeout)
            return None
        self._waiting = None
        time.sleep(max(0.0, early))
        return replace(picture, stamp=stamp)

    def close(self) -> None:
        """Close the file."""
        self._source.close()


def open_file(path: Path, rate: float = ASSUMED_RATE) -> VideoFile | ImageFolder:
    """Return a video file, or an image folder at ``rate`` pictures per second."""
    return ImageFolder(path, rate) if path.is_dir() else VideoFile(path)
