# SPDX-License-Identifier: MIT
"""Show videos with the hands that were detected in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from whispersign_model.errors import SensorError
from whispersign_model.recordings.recording import Recording
from whispersign_model.sensors.camera import CameraSensor, turned_round
from whispersign_model.sensors.collection import Clip, Labelling, find_clips
from whispersign_model.sensors.extraction import (
    Advance,
    ExtractionOptions,
    defects,
    labelled_as,
    record,
)
from whispersign_model.sensors.frame_source import Picture
from whispersign_model.sensors.overlay import Landmarks, draw_hands
from whispersign_model.sensors.picture_files import Excerpt, open_file
from whispersign_model.skeleton import JOINTS
from whispersign_model.timestamps import NANOSECONDS
from whispersign_model.visualization.viewer import DPI

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Overlay:
    """A ``Scene`` that shows the pictures of a video with the detected hands.

    The hands are detected once; the pictures are read again for display.

    Args:
        path: a video file or a folder of images.
        options: options for converting pictures to skeletons.
        start, duration: part of the video to show, in seconds.
        advance: function to call after each picture.

    Attributes:
        notes: notes for the user about defects of the file.

    Raises:
        SensorError: the file cannot be read or the detector fails.
        LabelError: a label table beside the video is invalid.
    """

    def __init__(
        self,
        path: Path,
        options: ExtractionOptions,
        start: float = 0.0,
        duration: float | None = None,
        advance: Advance | None = None,
    ) -> None:
        clips, _ = find_clips(path, Labelling())
        if len(clips) > 1:
            raise SensorError(path, "is a folder of several videos", "name one of them")
        file = open_file(path, options.rate)
        self._source = Excerpt(file, start, duration)
        self._mirrored = options.camera.mirrored
        self._landmarks: list[Landmarks] = []
        self._next = 0  # number of the next picture to read

        def looked(done: int, sensor: CameraSensor) -> None:
            self._landmarks.append(sensor.landmarks())
            if advance is not None:
                advance(done, file.number)

        self.recording = _labelled(clips[0], record(self._source, options, str(path), looked))
        self.notes = defects(file)
        self._source.open()
        self._picture = self._read()
        height, width = self._picture.pixels.shape[:2]
        self.size = width / DPI, height / DPI

    def draw(self, axes: Axes, moment: int) -> None:
        """Show a picture; going back rereads the file from the beginning."""
        if moment < self._next - 1:
            self._source.close()
            self._source.open()
            self._next = 0
        while self._next <= moment:
            self._picture = self._read()
        pixels = self._picture.pixels
        pixels = turned_round(pixels) if self._mirrored else pixels
        axes.imshow(draw_hands(pixels, self._landmarks[moment])[..., ::-1])
        axes.set(xticks=[], yticks=[])

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _read(self) -> Picture:
        self._next += 1
        picture = self._source.read(0.0)
        assert picture is not None  # files never time out
        return picture


def _labelled(clip: Clip, excerpt: Recording) -> Recording:
    """Label an excerpt of a clip, with label times that count from the start of the clip."""
    ends = [round(row.span[1] * NANOSECONDS) for row in clip.rows if row.span]
    stamps = np.array([0, max([int(excerpt.stamps[-1]), *ends])])
    nothing = np.zeros((2, JOINTS, 3), np.float32)
    whole = Recording(stamps, nothing, nothing[..., 0], name=excerpt.name)
    return replace(excerpt, segments=labelled_as(clip, whole).segments)
