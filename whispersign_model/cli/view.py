# SPDX-License-Identifier: MIT
"""Show the hands of a recording or video in a window, as a film, or as one sheet of pictures.

Without --out, a window opens. --out FILE.mp4 or FILE.gif writes a film. With another extension
(.png, .jpg, .svg, .pdf), it writes one picture that shows several moments. Hands from bags and
archives are drawn as skeletons; hands found in a video are drawn over its pictures. Labels, if
there are any, appear above.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from whispersign_model.cli.arguments import (
    count,
    defaults_of,
    not_negative,
    positive,
    recordings_path,
    refuse_idle,
)
from whispersign_model.cli.bags import find_bags_in, read_checked_bag
from whispersign_model.cli.extract import add_camera_arguments
from whispersign_model.cli.progress import picture_progress
from whispersign_model.cli.video import is_video, print_defects

if TYPE_CHECKING:
    from whispersign_model.recordings.recording import Recording
    from whispersign_model.visualization.video_overlay import Overlay
    from whispersign_model.visualization.viewer import Scene


SPEED = 1.0
PICTURES = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``whispersign view``."""
    add = parser.add_argument
    add("input", type=recordings_path, metavar="BAG|ARCHIVE|VIDEO")
    add("--out", type=Path, metavar="FILE", help="film or sheet to write")
    add(
        "--recording",
        default="",
        metavar="NAME",
        help="recording to show, if there are several (default: the first)",
    )
    add(
        "--start",
        type=not_negative,
        default=0.0,
        metavar="SECONDS",
        help="seconds to skip at the beginning",
    )
    add(
        "--duration",
        type=positive,
        metavar="SECONDS",
        help="length of the part to show (default: the rest)",
    )
    add(
        "--speed",
        type=positive,
        default=SPEED,
        help="speed of films and the window (default: %(default)g)",
    )
    add(
        "--pictures",
        type=count,
        default=PICTURES,
        metavar="N",
        help="pictures on a sheet (default: %(default)s)",
    )
    add_camera_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show the recording or write it, and print a summary."""
    import matplotlib  # noqa: F401  (fails before the work if it is missing)

    from whispersign_model.errors import WhisperSignError
    from whispersign_model.timestamps import NANOSECONDS
    from whispersign_model.visualization.viewer import Skeletons, part

    _refuse_idle_of_output(arguments)
    try:
        if arguments.input.suffix != ".npz" and is_video(arguments.input):
            refuse_idle(
                arguments,
                {"recording": ""},
                "has no effect for a video",
                "a video is one recording",
            )
            with closing(_overlay(arguments)) as scene:
                _present(scene, arguments, 0)
        else:
            recording = _chosen(arguments)
            camera = defaults_of(add_camera_arguments)
            refuse_idle(arguments, camera, "has no effect without a video", "omit it")
            shown = part(recording, arguments.start, arguments.duration)
            begin = int(shown.stamps[0]) - round(arguments.start * NANOSECONDS)
            _present(Skeletons(shown), arguments, begin)
    except OSError as error:
        fault = f"cannot be written ({error.strerror or error})"
        raise WhisperSignError(arguments.out, fault, "choose another place") from error
    return 0


def _refuse_idle_of_output(arguments: argparse.Namespace) -> None:
    from whispersign_model.visualization.viewer import FILMS

    if arguments.out is not None and arguments.out.suffix.lower() not in FILMS:
        fault, remedy = "has no effect on a sheet", "name a film with --out, or omit it"
        refuse_idle(arguments, {"speed": SPEED}, fault, remedy)
    else:
        fault, remedy = "only affects a sheet", "name a picture with --out"
        refuse_idle(arguments, {"pictures": PICTURES}, fault, remedy)


def _present(scene: Scene, arguments: argparse.Namespace, begin: int) -> None:
    """Write or show a scene; its captions show the time since ``begin`` (nanoseconds)."""
    from whispersign_model.visualization.viewer import FILMS, show, write_film, write_sheet

    out: Path | None = arguments.out
    if out is None:
        show(scene, arguments.speed, begin)
    elif out.suffix.lower() in FILMS:
        pictures = write_film(out, scene, arguments.speed, begin)
        print(f"{out}: {pictures} pictures of {scene.recording.name}")
    else:
        write_sheet(out, scene, arguments.pictures, begin)
        print(f"{out}: {scene.recording.name}")


def _overlay(arguments: argparse.Namespace) -> Overlay:
    from whispersign_model.cli.extract import options_from
    from whispersign_model.visualization.video_overlay import Overlay

    options = options_from(arguments)
    with picture_progress("Looking") as advance:
        overlay = Overlay(arguments.input, options, arguments.start, arguments.duration, advance)
    print_defects(arguments.input, overlay.notes)
    return overlay


def _chosen(arguments: argparse.Namespace) -> Recording:
    """Return the recording with the requested name, or the first one.

    Raises:
        WhisperSignError: no recording has that name, or the file is invalid.
    """
    from whispersign_model.datasets.archive import read_archive
    from whispersign_model.errors import ConfigError
    from whispersign_model.recordings.atomic import bag_name

    path, wanted = arguments.input, arguments.recording
    if path.suffix == ".npz":
        named = {recording.name: recording for recording in read_archive(path)}
        names = list(named)
    else:
        bags = {bag_name(bag): bag for bag in find_bags_in(path)}
        names = list(bags)
    if wanted and wanted not in names:
        raise ConfigError(f"--recording {wanted}", f"is not in {path}", f"there is {names[0]}")
    name = wanted or names[0]
    if len(names) > 1 and not wanted:
        print(f"{path} holds {len(names)} recordings; this is {name}")
    return named[name] if path.suffix == ".npz" else read_checked_bag(bags[name])
