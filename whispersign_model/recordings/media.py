# SPDX-License-Identifier: MIT
"""Tell videos and images from other files by their names; this needs no OpenCV."""

from pathlib import Path

from whispersign_model.errors import SensorError
from whispersign_model.recordings.atomic import natural_order

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
VIDEO_SUFFIXES = (
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".h264", ".m2ts",
    ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts",
    ".mxf", ".ogm", ".ogv", ".qt", ".ts", ".vob", ".webm", ".wmv", ".y4m",
)  # fmt: skip


def is_video_file(path: Path) -> bool:
    """Return whether the name of a file is that of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def images_in(folder: Path) -> list[Path]:
    """List the images directly in a folder, in natural order of their names.

    Raises:
        SensorError: the folder does not exist.
    """
    try:
        named = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
        files = [path for path in named if path.is_file()]  # opening a FIFO would block
    except OSError as error:
        raise SensorError(folder, f"cannot be read ({error.strerror})", "check the path") from error
    return sorted(files, key=natural_order)


def is_pictures(path: Path) -> bool:
    """Return whether a path is a video file or a folder that contains images."""
    return bool(images_in(path)) if path.is_dir() else is_video_file(path)
