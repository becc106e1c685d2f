# SPDX-License-Identifier: MIT
"""What verbs that take recordings do with a video: find the hands in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from whispersign_model.cli.progress import picture_progress

if TYPE_CHECKING:
    from whispersign_model.recordings.recording import Recording


def is_video(path: Path) -> bool:
    """Whether this is a video file or a folder of images; without OpenCV nothing is."""
    try:
        from whispersign_model.sensors.picture_files import is_pictures
    except ModuleNotFoundError:  # the extra `camera` is not installed, and bags do not need it
        return False
    return path.exists() and is_pictures(path)


def read_hands(path: Path, coordinates: str) -> Recording:
    """Return the hands in a video, in the coordinates that a model wants, with a progress bar.

    Raises:
        ConfigError: a camera gives no such coordinates.
        SensorError: the file or the detector is at fault.
    """
    from rich.markup import escape

    from whispersign_model.sensors.camera import CameraOptions, to_measure_in
    from whispersign_model.sensors.extraction import ExtractionOptions, read_video

    to_measure_in(coordinates, str(path))
    options = ExtractionOptions(camera=CameraOptions(coordinates=coordinates))
    with picture_progress(f"Looking at {escape(path.name)}") as advance:
        return read_video(path, options, advance)
