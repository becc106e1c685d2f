# SPDX-License-Identifier: MIT
"""Read videos in verbs that take recordings, by detecting the hands in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from whispersign_model.cli.progress import picture_progress

if TYPE_CHECKING:
    from whispersign_model.recordings.recording import Recording


def is_video(path: Path) -> bool:
    """Return whether a path is a video file or a folder of images."""
    from whispersign_model.sensors.collection import is_pictures

    return path.exists() and is_pictures(path)


def read_hands(path: Path, coordinates: str) -> Recording:
    """Extract the hands from a video in a network's coordinates, with a progress bar.

    Raises:
        ConfigError: a camera cannot measure in these coordinates.
        SensorError: the file cannot be read or the detector fails.
    """
    from rich.markup import escape

    from whispersign_model.sensors.camera import CameraOptions, to_measure_in
    from whispersign_model.sensors.extraction import ExtractionOptions, read_video

    to_measure_in(coordinates, str(path))
    options = ExtractionOptions(camera=CameraOptions(coordinates=coordinates))
    with picture_progress(f"Looking at {escape(path.name)}") as advance:
        return read_video(path, options, advance)
