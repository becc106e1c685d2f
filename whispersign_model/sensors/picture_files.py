# SPDX-License-Identifier: MIT
"""Pictures from video files and image folders, at full speed or in real time."""

import time
from array import array
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2

from whispersign_model.errors import SensorError
from whispersign_model.files import require_file
from whispersign_model.recordings.media import IMAGE_SUFFIXES, images_in
from whispersign_model.sensors.detector import Image
from whispersign_model.sensors.frame_source import (
    DepthScale,
    Picture,
    decode,
    in_colour,
    require_size,
    require_usable,
)
from whispersign_model.sensors.lost_pictures import Loss, find_loss, is_damaged
from whispersign_model.sensors.sensor import SensorEndError
from whispersign_model.timestamps import NANOSECONDS

ASSUMED_RATE = 30.0  # pictures per second for files that do not state a rate
HELD_BACK = 16  # most pictures that a decoder holds back
MOST_FAILURES = 100_000  # damaged pictures of a file that are read over
FROM_ZERO = (".mkv", ".webm")  # the duration counts from 0, not from the first picture
MILLISECONDS = NANOSECONDS // 1000
CONVERT = "convert it to H.264, such as with `ffmpeg -i FILE NEW.mp4`"


class VideoFile:
    """The pictures of a video file, with stamps that count from its start.

    A stamp that is missing, repeats or goes back is counted and replaced by the previous stamp plus
    the frame interval. Reading goes on behind damaged pictures.

    Attributes:
        number: number of pictures according to the header; 0 if unknown. Some formats only state
            the duration, and a file with fewer pictures can then be whole.
    """

    host_clock = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.drops: Counter[str] = Counter()
        self.number = 0
        self.invented_stamps = 0
        self._capture: cv2.VideoCapture | None = None
        self._stamps = array("q")
        self._failures = 0  # reads
        self._unstamped = 0  # number of last pictures without a stamp
        self._ended = False
        self._damaged: bool | None = None  # None: not known yet

    def open(self) -> None:
        """Open the file.

        Raises:
            SensorError: the file is missing, OpenCV cannot read it, or its pictures are too large.
        """
        if not self.path.exists():
            raise SensorError(self.path, "there is no such file", "check the path")
        require_file(self.path, SensorError)
        self._capture = _opened(self.path)
        if not self._capture.isOpened():
            raise _unreadable(self.path)
        width, height = (
            int(self._capture.get(side))
            for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        require_size(width, height, self.path)
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self._interval = round(NANOSECONDS / (rate if 1 <= rate <= 1000 else ASSUMED_RATE))
        self.number = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self._stamps = array("q")
        self._failures, self._unstamped, self._ended = 0, 0, False

    def read(self, timeout: float) -> Picture | None:
        """Return the next picture.

        Raises:
            SensorEndError: the file has ended.
            SensorError: the file contains no picture.
        """
        assert self._capture is not None
        there, pixels = self._capture.read()
        most = min(self.number - len(self._stamps), MOST_FAILURES)
        while not there and self._failures < most:
            self._failures += 1  # one damaged picture, or the end
            there, pixels = self._capture.read()
        if not there:
            if not self._stamps:
                fault = f"holds no picture that can be read{_codec(self._capture)}"
                raise SensorError(self.path, fault, f"replace it, or {CONVERT}")
            self._ended = True
            if self._unstamped <= HELD_BACK:
                self.invented_stamps -= self._unstamped
            if loss := self.loss():
                self.drops["unreadable_pictures"] = loss.pictures
            raise SensorEndError
        return Picture(self._stamp(), in_colour(pixels))

    def loss(self) -> Loss | None:
        """Return the pictures that are missing among those read so far, or None."""
        if not self._stamps:
            return None
        number, end = (self.number, self.number * self._interval) if self._ended else (0, 0)
        loss = find_loss(self._stamps, self._interval, number, end)
        if loss is None:
            return None
        if self._damaged is None:
            # The index of an AVI file counts the pictures.
            indexed = loss.at_end and self.path.suffix.lower() == ".avi"
            self._damaged = indexed or is_damaged(self.path, self._failures + 1)
        return loss if self._damaged else None

    def _stamp(self) -> int:
        """Return the stamp of the picture just read."""
        assert self._capture is not None
        stamp = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * MILLISECONDS)
        if not self._stamps:
            late = self._capture.get(cv2.CAP_PROP_PTS)
            if self.path.suffix.lower() in FROM_ZERO and 0 < late < self.number:
                self.number -= int(late)
        elif stamp <= self._stamps[-1]:
            # FFmpeg's last pictures, which it held back to sort them, may have no stamp.
            self._unstamped = self._unstamped + 1 if stamp == 0 else 0
            stamp = self._stamps[-1] + self._interval
            self.invented_stamps += 1
        else:
            self._unstamped = 0
        self._stamps.append(stamp)
        return stamp

    def close(self) -> None:
        """Close the file."""
        if self._capture is not None:
            self._capture.release()
        self._capture = None


def _opened(path: Path, *settings: int) -> cv2.VideoCapture:
    """Open a video; FFmpeg takes the start of a relative name such as "10:30.mp4" as a protocol."""
    return cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG, settings)


def _unreadable(path: Path) -> SensorError:
    """Return the error of a file that cannot be opened; it names a codec without a decoder."""
    packets = _opened(path, cv2.CAP_PROP_FORMAT, -1)  # opens without a decoder
    if not packets.isOpened():
        return SensorError(path, "is not a video that can be read", "convert it to MP4")
    codec = _codec(packets)
    packets.release()
    return SensorError(path, f"cannot be decoded here{codec}", CONVERT)


def _codec(capture: cv2.VideoCapture) -> str:
    """Return the codec of a video in parentheses, or "" if it is unknown."""
    code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    letters = code.to_bytes(4, "little").decode("latin-1").strip()
    return f" (codec {letters})" if letters.isascii() and letters.isprintable() else ""


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
