"""Where pictures come from: devices, video files and folders of images."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import cv2
import numpy as np

from whispersign_model.errors import SensorError
from whispersign_model.recordings.recording import NANOSECONDS
from whispersign_model.sensors.detector import Image
from whispersign_model.sensors.intrinsics import Intrinsics
from whispersign_model.sensors.sensor import SensorEndError

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
VIDEO_SUFFIXES = (".avi", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv",
                  ".webm", ".wmv")  # fmt: skip
ASSUMED_RATE = 30.0  # pictures a second of a file that does not say
OLDEST = NANOSECONDS  # a driver's stamp further back than this is on some other clock
MILLISECONDS = NANOSECONDS // 1000

Item = TypeVar("Item")


@dataclass(frozen=True)
class Picture:
    """A picture at its capture time.

    Attributes:
        stamp: nanoseconds.
        pixels: ``(H, W, 3)`` uint8, blue green red.
        intrinsics: the camera's, where the picture came with them.
    """

    stamp: int
    pixels: Image
    intrinsics: Intrinsics | None = None


class Pictures(Protocol):
    """A source of pictures.

    Attributes:
        host_clock: as that of ``Sensor``.
    """

    host_clock: bool

    @property
    def drops(self) -> Counter[str]:
        """Pictures lost, by cause."""

    def open(self) -> None:
        """Begin; raises SensorError when it is not there."""

    def read(self, timeout: float) -> Picture | None:
        """Return the next picture, None when there is none in time; raises as ``Sensor.read``."""

    def close(self) -> None:
        """Free what ``open`` took."""


class VideoFile:
    """The pictures of a video file, stamped from its beginning.

    A stamp that is missing, repeats or steps back becomes that of the picture before it plus the
    file's frame interval, and is counted.

    Attributes:
        number: pictures that the file says it holds, 0 when it does not say.
    """

    host_clock = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.drops: Counter[str] = Counter()
        self.number = 0
        self.invented_stamps = 0
        self._capture: cv2.VideoCapture | None = None
        self._last = -1
        self._given = 0

    def open(self) -> None:
        """Open the file.

        Raises:
            SensorError: it is missing, or no video that OpenCV can read.
        """
        if not self.path.is_file():
            raise SensorError(self.path, "there is no such file", "check the path")
        self._capture = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise SensorError(self.path, "is not a video that can be read", "convert it to MP4")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self._interval = round(NANOSECONDS / (rate if 1 <= rate <= 1000 else ASSUMED_RATE))
        self.number = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self._last, self._given = -1, 0

    def read(self, timeout: float) -> Picture | None:
        """Return the next picture.

        Raises:
            SensorEndError: there is none.
            SensorError: the file holds not one picture.
        """
        assert self._capture is not None
        there, pixels = self._capture.read()
        if not there:
            if not self._given:
                raise SensorError(self.path, "holds no picture that can be read", "replace it")
            self.drops["unreadable_pictures"] = max(0, self.number - self._given)
            raise SensorEndError
        stamp = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * MILLISECONDS)
        if stamp <= self._last:
            stamp = self._last + self._interval
            self.invented_stamps += 1
        self._last = stamp
        self._given += 1
        return Picture(stamp, _colour(pixels))

    def close(self) -> None:
        """Close the file."""
        if self._capture is not None:
            self._capture.release()
        self._capture = None


class ImageFolder:
    """The images of a folder in natural order of their names, at a stated rate.

    Attributes:
        number: images in the folder.
    """

    host_clock = False

    def __init__(self, path: Path, rate: float = ASSUMED_RATE) -> None:
        self.path = path
        self.drops: Counter[str] = Counter()
        self.number = 0
        self._rate = rate
        self._next = 0

    def open(self) -> None:
        """List the folder.

        Raises:
            SensorError: it is missing or holds no image.
        """
        self._files = images_in(self.path)
        if not self._files:
            raise SensorError(self.path, "holds no image", f"known: {', '.join(IMAGE_SUFFIXES)}")
        self.number = len(self._files)
        self._next = 0

    def read(self, timeout: float) -> Picture | None:
        """Return the next image; one that cannot be read is left out and counted.

        Raises:
            SensorEndError: there is none.
        """
        while self._next < len(self._files):
            index, self._next = self._next, self._next + 1
            pixels = cv2.imread(str(self._files[index]), cv2.IMREAD_COLOR)
            if pixels is not None:
                return Picture(round(index * NANOSECONDS / self._rate), _colour(pixels))
            self.drops["unreadable_pictures"] += 1
        raise SensorEndError

    def close(self) -> None:
        """Nothing is held open."""


@dataclass(frozen=True)
class DeviceOptions:
    """What to ask of a camera; 0 and "" leave it to the driver."""

    width: int = 1280
    height: int = 720
    rate: float = 30.0
    pixel_format: str = "MJPG"


class Device:
    """A V4L2 camera, by index or path, stamped by its driver.

    The driver's stamps are on ``time.monotonic_ns()``. Where it gives none the time of arrival is
    taken and counted as ``pictures_without_stamp``.
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
            SensorError: it is not there or in use.
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
            SensorError: the camera is gone.
        """
        assert self._capture is not None
        there, pixels = self._capture.read()
        now = time.monotonic_ns()
        if not there or pixels is None:
            raise SensorError(f"camera {self._device}", "gives no picture", "is it unplugged?")
        stamp = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * MILLISECONDS)
        if not now - OLDEST < stamp <= now:
            stamp = now
            self.drops["pictures_without_stamp"] += 1
        if stamp <= self._last:
            self.drops["pictures_out_of_order"] += 1
            return None
        self._last = stamp
        return Picture(stamp, _colour(pixels))

    def close(self) -> None:
        """Free the device."""
        if self._capture is not None:
            self._capture.release()
        self._capture = None


class Played:
    """A file played as if it were a camera: stamped from now on, and paced.

    Args:
        pictures: the file; its stamps count from its beginning.
        paced: wait for each picture's time; otherwise it is given as soon as it is asked for.
    """

    host_clock = True

    def __init__(self, pictures: VideoFile | ImageFolder, paced: bool = True) -> None:
        self._pictures = pictures
        self._paced = paced
        self.drops = pictures.drops
        self._begin = 0
        self._waiting: Picture | None = None

    def open(self) -> None:
        """Open the file; its time starts with the first picture."""
        self._pictures.open()
        self._begin, self._waiting = 0, None

    def read(self, timeout: float) -> Picture | None:
        """Return the next picture once its time has come."""
        picture = self._waiting or self._pictures.read(timeout)
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
        self._pictures.close()


class Newest(Generic[Item]):
    """A place for one picture or message: the newest wins, those that nobody took are counted."""

    def __init__(self) -> None:
        self.dropped = 0
        self._item: Item | None = None
        self._error: Exception | None = None
        self._changed = threading.Condition()

    def put(self, item: Item) -> None:
        """Replace what is there."""
        with self._changed:
            self.dropped += self._item is not None
            self._item = item
            self._changed.notify()

    def fail(self, error: Exception) -> None:
        """Let ``take`` raise once what is there has been taken."""
        with self._changed:
            self._error = error
            self._changed.notify()

    def take(self, timeout: float) -> Item | None:
        """Wait for an item, or raise what ``fail`` was given."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._error, timeout)
            item, self._item = self._item, None
            if item is None and self._error is not None:
                error, self._error = self._error, None
                raise error
            return item


class Grabbed:
    """Pictures read in a thread of their own, so that a slow detector gets the newest one."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self.host_clock = pictures.host_clock
        self._newest: Newest[Picture] = Newest()
        self._too_fast = 0  # of earlier openings
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def drops(self) -> Counter[str]:
        """Pictures lost, by cause: those of the source, and those that came too fast."""
        too_fast = self._too_fast + self._newest.dropped
        return self._pictures.drops + Counter(pictures_too_fast=too_fast)

    def open(self) -> None:
        """Open the source; it is read from the first ``read`` on."""
        self._newest = Newest()
        self._pictures.open()

    def read(self, timeout: float) -> Picture | None:
        """Return the newest picture."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="grabber", daemon=True)
            self._thread.start()
        return self._newest.take(timeout)

    def close(self) -> None:
        """Stop reading and close the source."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        self._too_fast += self._newest.dropped
        self._newest = Newest()
        self._pictures.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                picture = self._pictures.read(0.1)
            except Exception as error:  # handed on to whoever reads
                self._newest.fail(error)
                return
            if picture is not None:
                self._newest.put(picture)


def images_in(folder: Path) -> list[Path]:
    """Images directly in a folder, in natural order of their names.

    Raises:
        SensorError: there is no such folder.
    """
    try:
        files = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    except OSError as error:
        raise SensorError(folder, f"cannot be read ({error.strerror})", "check the path") from error
    return sorted(files, key=lambda path: natural(path.name))


def natural(text: str) -> list[tuple[int, str]]:
    """Sort key by which ``take2`` comes before ``take10``."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.findall(r"\d+|\D+", text)
    ]


def open_file(path: Path, rate: float = ASSUMED_RATE) -> VideoFile | ImageFolder:
    """A video file, or the images of a folder at ``rate`` pictures a second."""
    return ImageFolder(path, rate) if path.is_dir() else VideoFile(path)


def _colour(pixels: np.ndarray) -> Image:
    """Any picture as ``(H, W, 3)`` uint8, blue green red."""
    if pixels.dtype != np.uint8:
        pixels = cv2.convertScaleAbs(pixels, alpha=1 / 256 if pixels.dtype == np.uint16 else 1.0)
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
    if pixels.shape[2] == 4:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), dtype=np.uint8)
    return np.asarray(pixels, dtype=np.uint8)
