# SPDX-License-Identifier: MIT
"""Collections of videos: which there are, what is signed in each, and by whom."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from whispersign_model.errors import ConfigError, SensorError
from whispersign_model.recordings.atomic import natural_order, safe_name, unique_name
from whispersign_model.recordings.labels import LabelRow, find_labels
from whispersign_model.sensors.picture_files import VIDEO_SUFFIXES, images_in

RULES = ("none", "folder", "name")
TAKE = re.compile(r"[\W_]*\d+$")  # the number at the end of a file's name


@dataclass(frozen=True)
class Clip:
    """One video, or folder of images, of a collection.

    Attributes:
        path: where it is.
        name: unique in the collection; the name of its bag.
        gloss: what is signed in it from the beginning to the end, "" where unknown.
        signer: "" where unknown.
        rows: of a table; they take precedence over the above.
    """

    path: Path
    name: str
    gloss: str = ""
    signer: str = ""
    rows: tuple[LabelRow, ...] = ()


@dataclass(frozen=True)
class Labelling:
    """Where labels come from.

    Attributes:
        rule: ``none``; ``folder``, the name of the folder that a video is in; ``name``, its own
            name without suffix and without the number at its end; or the path of a table. Tables
            that lie beside the videos are found by themselves, see ``recordings.labels``.
        pattern: a regular expression, searched for in a video's path without suffix, that gives
            the groups ``gloss`` or ``signer``; it takes precedence over the rule.
        signer: of all videos for which nothing else names one.
    """

    rule: str = "none"
    pattern: str = ""
    signer: str = ""


def find_clips(source: Path, labelling: Labelling) -> tuple[list[Clip], list[str]]:
    """List the videos below a folder, or one video, or one folder of images, with their labels.

    Returns:
        the clips, and warnings about the tables.

    Raises:
        SensorError: there is nothing to extract.
        ConfigError: the pattern is at fault, or does not fit a path.
        LabelError: a table has a fault.
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
        raise SensorError(source, "does not exist", "check the path")
    found = [path for path in source.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES]
    images = images_in(source)
    if found and images:
        raise SensorError(
            source, f"holds videos and images ({images[0].name})", "move the ones or the others"
        )
    if images:
        return [source]
    if not found:
        raise SensorError(
            source, "holds no video and no image", f"known: {' '.join(VIDEO_SUFFIXES)}"
        )
    return sorted(found, key=natural_order)


def _bare(path: Path) -> Path:
    """A video's path without its suffix; a folder has none, whatever dots are in its name."""
    return path.with_suffix("") if path.suffix.lower() in VIDEO_SUFFIXES else path


def _compiled(pattern: str) -> re.Pattern[str] | None:
    if not pattern:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError("--pattern", f"is no regular expression ({error})") from error
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
