# SPDX-License-Identifier: MIT
"""Display recordings as a sheet of pictures, as a film, or in a window."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from whispersign_model.errors import ConfigError, RecordingError
from whispersign_model.recordings.atomic import whole_file
from whispersign_model.recordings.recording import Coordinates, Recording
from whispersign_model.timestamps import NANOSECONDS
from whispersign_model.visualization.drawing import Viewport, draw_bones, seen

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILMS = {".mp4": 30.0, ".gif": 20.0}  # frame rate by format
COLUMNS = 4
DPI = 100
SIDE = 5.0  # inches; width and height of a skeleton film
BAND = 0.3  # inches; height of the caption above it
LEAST_STEP = 5  # milliseconds between two pictures in a window


class Scene(Protocol):
    """A sequence of moments to show, which must be requested in order.

    Attributes:
        recording: the recording of the hands.
        size: width and height of a picture in inches.
    """

    recording: Recording
    size: tuple[float, float]

    def draw(self, axes: Axes, moment: int) -> None:
        """Draw the frame with number ``moment``."""


class Skeletons:
    """A ``Scene`` that shows skeletons without a picture behind them."""

    size = (SIDE, SIDE)

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        flat = recording.coordinates is Coordinates.IMAGE_NORMALISED
        self._points = seen(recording.positions, flat)
        self._tracked = recording.confidence > 0
        self._window = Viewport.around(self._points, self._tracked)

    def draw(self, axes: Axes, moment: int) -> None:
        """Draw the hands of a frame."""
        draw_bones(axes, self._points[moment], self._tracked[moment], width=2.0)
        self._window.fit(axes)


def part(recording: Recording, start: float, duration: float | None) -> Recording:
    """Return the part of a recording that starts at ``start`` seconds, with all labels.

    Raises:
        RecordingError: the part contains no frames.
    """
    if len(recording):
        begin = int(recording.stamps[0]) + round(start * NANOSECONDS)
        last = int(recording.stamps[-1])
        end = last if duration is None else begin + round(duration * NANOSECONDS)
        recording = replace(recording.between(begin, end), segments=recording.segments)
    if not len(recording):
        raise RecordingError(recording.name or "recording", "has no frames there", "look earlier")
    return recording


def caption(recording: Recording, moment: int, begin: int) -> str:
    """Return a caption: the time of the frame since ``begin`` (nanoseconds), and its glosses."""
    stamp = int(recording.stamps[moment])
    glosses = [
        gloss
        for segment in recording.segments
        if segment.start <= stamp <= segment.end
        for gloss in segment.glosses
    ]
    return f"{(stamp - begin) / NANOSECONDS:.2f} s  {' '.join(glosses)}".rstrip()


def write_sheet(path: Path, scene: Scene, pictures: int, begin: int) -> None:
    """Write one picture that shows moments spread evenly over the scene.

    Args:
        path: path of the picture; its suffix sets the format.
        scene: the scene to show.
        pictures: largest number of moments.
        begin: stamp in nanoseconds from which captions count.

    Raises:
        ConfigError: matplotlib does not support the format.
    """
    from matplotlib.figure import Figure

    count = min(pictures, len(scene.recording))
    moments = np.linspace(0, len(scene.recording) - 1, count).round().astype(int).tolist()
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    width = 3.0
    height = width * scene.size[1] / scene.size[0] + 0.3
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    for number, moment in enumerate(moments, start=1):
        axes = figure.add_subplot(rows, columns, number)
        scene.draw(axes, moment)
        axes.set_title(caption(scene.recording, moment, begin), fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as beside:
        try:
            figure.savefig(beside, dpi=DPI)
        except ValueError as error:
            known = f"such as .png, or {' or '.join(FILMS)} for a film"
            raise ConfigError(path, f"is not a picture format ({error})", known) from None


def write_film(path: Path, scene: Scene, speed: float, begin: int) -> int:
    """Write the scene as MP4 or GIF; return the number of pictures.

    Args:
        path: path of the film, with a suffix from ``FILMS``.
        scene: the scene to show.
        speed: playback speed; 1 plays as recorded.
        begin: stamp in nanoseconds from which captions count.

    Raises:
        ConfigError: this machine cannot write the film.
    """
    rate = FILMS[path.suffix.lower()]
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as beside:
        pictures = _pictures(scene, rate, speed, begin)
        if path.suffix.lower() == ".gif":
            count = _write_gif(beside, pictures, rate)
        else:
            count = _write_mp4(beside, pictures, rate)
        if not beside.exists() or not beside.stat().st_size:
            raise ConfigError(path, "cannot be written as MP4", "install opencv with FFmpeg")
    return count


def show(scene: Scene, speed: float, begin: int) -> None:
    """Play the scene in a loop in a window until the user closes it.

    Raises:
        ConfigError: there is no display.
    """
    if sys.platform == "linux" and not (os.getenv("DISPLAY") or os.getenv("WAYLAND_DISPLAY")):
        raise ConfigError("view", "there is no display", "name a file with --out")
    from matplotlib import pyplot
    from matplotlib.animation import FuncAnimation

    figure = pyplot.figure(figsize=_figure_size(scene))
    if pyplot.get_backend().lower() == "agg":
        raise ConfigError(
            "view", "matplotlib cannot open a window here", "install python3-tk, or --out"
        )
    moments = _moments(scene.recording, FILMS[".mp4"], speed)
    interval = max(LEAST_STEP, round(1000 / FILMS[".mp4"]))
    animation = FuncAnimation(
        figure,
        lambda moment: _draw(figure, scene, moment, begin),
        frames=moments,
        interval=interval,
    )
    pyplot.show()
    del animation  # must stay alive until the window is closed


def _moments(recording: Recording, rate: float, speed: float) -> list[int]:
    """Return the frame to show in each picture of a film: the latest one at that time."""
    seconds = (recording.stamps - recording.stamps[0]) / NANOSECONDS
    pictures = math.ceil(recording.duration / speed * rate - 1e-6) + 1  # the last frame is shown
    times = np.arange(pictures) * speed / rate
    found: list[int] = (np.searchsorted(seconds, times + 1e-9, side="right") - 1).tolist()
    return found


def _figure_size(scene: Scene) -> tuple[float, float]:
    """Return the size in inches of a picture with its caption; its sides have even pixel counts."""
    width, height = scene.size
    return 2 * round(width * DPI / 2) / DPI, 2 * round((height + BAND) * DPI / 2) / DPI


def _draw(figure: Figure, scene: Scene, moment: int, begin: int) -> None:
    """Draw a frame over the whole figure with its caption above."""
    figure.clear()
    height = figure.get_size_inches()[1]
    axes = figure.add_axes((0.0, 0.0, 1.0, 1 - BAND / height))
    axes.set_frame_on(False)
    scene.draw(axes, moment)
    text = caption(scene.recording, moment, begin)
    figure.text(0.01, 1 - 0.75 * BAND / height, text, fontsize=12)


def _pictures(scene: Scene, rate: float, speed: float, begin: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the RGB pictures ``(H, W, 3)`` of a film, where H and W are even."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_figure_size(scene), dpi=DPI)
    canvas: Any = FigureCanvasAgg(figure)
    last, pixels = -1, np.zeros((0, 0, 3), np.uint8)
    for moment in _moments(scene.recording, rate, speed):
        if moment != last:
            _draw(figure, scene, moment, begin)
            canvas.draw()
            pixels, last = np.asarray(canvas.buffer_rgba())[..., :3].copy(), moment
        yield pixels


def _write_mp4(path: Path, pictures: Iterator[NDArray[np.uint8]], rate: float) -> int:
    import cv2

    count, writer = 0, None
    for pixels in pictures:
        if writer is None:
            size = pixels.shape[1], pixels.shape[0]
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
        writer.write(np.ascontiguousarray(pixels[..., ::-1]))
        count += 1
    if writer is not None:
        writer.release()
    return count


def _write_gif(path: Path, pictures: Iterator[NDArray[np.uint8]], rate: float) -> int:
    from PIL import Image

    images: Iterator[Any] = (Image.fromarray(pixels).quantize(64) for pixels in pictures)
    count = 1
    first = next(images)

    def rest() -> Iterator[Any]:
        nonlocal count
        for image in images:
            count += 1
            yield image

    first.save(path, save_all=True, append_images=rest(), duration=round(1000 / rate), loop=0)
    return count
