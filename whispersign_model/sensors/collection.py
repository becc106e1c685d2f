# SPDX-License-Identifier: MIT
"""Video collections: find the videos and images, with their glosses and signers.

This module does without OpenCV, so that commands can tell a video from a bag where it is missing.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from whispersign_model.errors import ConfigError, SensorError
from whispersign_model.files import require_file
from whispersign_model.recordings.atomic import natural_order, safe_name, unique_name
from whispersign_model.recordings.labels import LabelRow, find_labels

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
VIDEO_SUFFIXES = (".avi", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv",
                  ".webm", ".wmv")  # fmt: skip
RULES = ("none", "folder", "name")
TAKE = re.compile(r"[\W_]*\d+$")  # the number at the end of a file name


@dataclass(frozen=True)
class Clip:
    """One video, or one folder of images, in a collection.

    Attributes:
        path: the video file or image folder.
        name: name that is unique in the collection; also the name of the clip's bag.
        gloss: gloss of the whole clip; "" if unknown.
        signer: name of the signer; "" if unknown.
        rows: rows of a label table, which take precedence over ``gloss`` and ``signer``.
    """

    path: Path
    name: str
    gloss: str = ""
    signer: str = ""
    rows: tuple[LabelRow, ...] = ()


@dataclass(frozen=True)
class Labelling:
    """Rules that assign labels to videos.

    Attributes:
        rule: source of the gloss: ``none``; ``folder`` for the name of the video's folder; ``name``
            for the file name without suffix and final number; or the path of a label table. Tables
            beside the videos are found automatically; see ``recordings.labels``.
        pattern: a regular expression with the group ``gloss`` or ``signer``, which is searched in
            the path of a video without its suffix. It takes precedence over the rule.
        signer: name of the default signer.
    """

    rule: str = "none"
    pattern: str = ""
    signer: str = ""


def find_clips(source: Path, labelling: Labelling) -> tuple[list[Clip], list[str]]:
    """List the labeled clips in a folder of videos, a single video, or a folder of images.

    Returns:
        the clips, and warnings about the label tables.

    Raises:
        SensorError: no clip exists.
        ConfigError: the pattern is invalid, or it does not match one of the paths.
        LabelError: a label table is invalid.
    """
    paths = _videos(source)
    top = source if paths != [source] else source.parent
    pattern = _compiled(labelling.pattern)
    table = None if labelling.rule in RULES else Path(labelling.rule)
    rows, warnings = find_labels(paths, table)
    taken: set[str] = set()
    clips = []
    for path in paths:
        inside = _bare(path.relative_to(top))
        gloss = ""
        if labelling.rule == "folder":
            gloss = path.resolve().parent.name
        elif labelling.rule == "name":
            gloss = TAKE.sub("", inside.name) or inside.name
        name = unique_name(safe_name("_".join(inside.parts)), taken)
        clip = Clip(path, name, gloss, labelling.signer, tuple(rows.get(path, ())))
        clips.append(_matched(clip, inside.as_posix(), pattern))
    return clips, warnings


def _videos(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        if source.exists():
            require_file(source, SensorError)
        raise SensorError(source, "does not exist", "check the path")
    found = [
        path
        for path in source.rglob("*")
        if path.suffix.lower() in VIDEO_SUFFIXES and not _hidden(path.relative_to(source))
    ]
    images = images_in(source)
    if found and images:
        raise SensorError(
            source, f"holds videos and images ({images[0].name})", "move one kind to another folder"
        )
    if images:
        return [source]
    if not found:
        raise SensorError(
            source, "contains neither videos nor images", f"known: {' '.join(VIDEO_SUFFIXES)}"
        )
    return sorted(found, key=natural_order)


def _hidden(path: Path) -> bool:
    """Return whether a file or a folder above it is hidden, such as the output of a killed verb."""
    return any(part.startswith(".") for part in path.parts)


def _bare(path: Path) -> Path:
    """Return the path of a video without its suffix; a folder's name stays unchanged."""
    return path.with_suffix("") if path.suffix.lower() in VIDEO_SUFFIXES else path


def _compiled(pattern: str) -> re.Pattern[str] | None:
    if not pattern:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError("--pattern", f"is not a regular expression ({error})") from error
    if not compiled.groupindex or set(compiled.groupindex) - {"gloss", "signer"}:
        raise ConfigError(
            "--pattern", "must have the groups gloss or signer", "such as '(?P<gloss>[a-z]+)_'"
        )
    return compiled


def _matched(clip: Clip, inside: str, pattern: re.Pattern[str] | None) -> Clip:
    if pattern is None:
        return clip
    match = pattern.search(inside)
    if match is None:
        raise ConfigError("--pattern", f"does not fit {inside}", "correct it, or move that file")
    found = match.groupdict()
    gloss, signer = found.get("gloss") or clip.gloss, found.get("signer") or clip.signer
    return replace(clip, gloss=gloss, signer=signer)


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
    return bool(images_in(path)) if path.is_dir() else path.suffix.lower() in VIDEO_SUFFIXES
