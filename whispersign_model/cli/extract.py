# SPDX-License-Identifier: MIT
"""Find the hands in videos or folders of images and write them as annotated bags.

A folder of videos becomes a folder of bags, one per video. Run the same command again to resume an
interrupted run. Labels come from file or folder names, from a pattern, or from tables in the format
that `whispersign convert` reads. You can name a table; by default, tables beside the videos are
used.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from whispersign_model.cli.arguments import count
from whispersign_model.cli.progress import picture_progress, progress_bars
from whispersign_model.errors import BagError

if TYPE_CHECKING:
    from whispersign_model.sensors.collection import Clip
    from whispersign_model.sensors.extraction import ExtractionOptions, Outcome


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``whispersign extract``."""
    add = parser.add_argument
    add("source", type=Path, metavar="VIDEO|FOLDER")
    add(
        "--out",
        type=Path,
        required=True,
        metavar="BAG",
        help="bag to write, or folder of bags for a folder of videos",
    )
    labels = parser.add_argument_group("labels")
    labels.add_argument(
        "--labels",
        default="none",
        metavar="RULE",
        help="none, folder (the name of a video's folder), name (the file name without its final "
        "number), or a table (CSV) (default: %(default)s)",
    )
    labels.add_argument(
        "--pattern",
        default="",
        metavar="REGEX",
        help="searched in each path without suffix; its groups gloss and signer become the labels",
    )
    labels.add_argument("--signer", default="", help="default signer")
    add_camera_arguments(parser)
    add(
        "--jobs",
        type=count,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes (default: %(default)s)",
    )
    add(
        "--on-error",
        choices=("stop", "skip"),
        default="stop",
        help="what to do about a video that cannot be read (default: %(default)s)",
    )
    add("--storage", choices=("mcap", "sqlite3"), default="mcap")


def add_camera_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that control how skeletons are extracted from pictures."""
    add = parser.add_argument_group("camera").add_argument
    add(
        "--field-of-view",
        type=float,
        default=60.0,
        metavar="DEGREES",
        help="along the longer side of the picture (default: %(default)s)",
    )
    add("--calibration", type=Path, metavar="FILE.yaml", help="file from ROS's camera_calibration")
    add("--mirrored", action="store_true", help="the pictures are mirror images")
    add(
        "--hand-length",
        type=float,
        default=0.0,
        metavar="METRES",
        help="from wrist to middle-finger MCP joint; 0 uses the detector's estimate (default: "
        "%(default)s)",
    )
    add(
        "--coordinates",
        choices=("metric_sensor", "image_normalised"),
        default="metric_sensor",
        help="meters in front of the camera, or image heights (default: %(default)s)",
    )
    add(
        "--fps",
        type=float,
        default=30.0,
        help="pictures per second for a folder of images (default: %(default)s)",
    )
    add("--detector", default="", metavar="FILE.task", help="hand_landmarker.task to use")


def options_from(arguments: argparse.Namespace, storage: str = "mcap") -> ExtractionOptions:
    """Build extraction options from the arguments of ``add_camera_arguments``.

    Raises:
        ConfigError: a number is out of its range, or the calibration is invalid.
    """
    from whispersign_model.errors import ConfigError
    from whispersign_model.sensors.camera import CameraOptions
    from whispersign_model.sensors.detector import DetectorOptions
    from whispersign_model.sensors.extraction import ExtractionOptions
    from whispersign_model.sensors.intrinsics import read_calibration

    for name, low, high in (("field_of_view", 10, 170), ("hand_length", 0, 0.2), ("fps", 1, 1000)):
        if not low <= getattr(arguments, name) <= high:
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(option, f"is {getattr(arguments, name)}", f"from {low} to {high}")
    return ExtractionOptions(
        camera=CameraOptions(
            detector=DetectorOptions(model_file=arguments.detector),
            coordinates=arguments.coordinates,
            mirrored=arguments.mirrored,
            field_of_view=arguments.field_of_view,
            hand_length=arguments.hand_length,
            calibration=read_calibration(arguments.calibration) if arguments.calibration else None,
        ),
        rate=arguments.fps,
        storage=storage,
    )


def run(arguments: argparse.Namespace) -> int:
    """Extract the hands and print a summary."""
    from whispersign_model.sensors.collection import Labelling, find_clips
    from whispersign_model.sensors.detector import find_bundle
    from whispersign_model.sensors.extraction import write_clip

    options = options_from(arguments, arguments.storage)
    find_bundle(options.camera.detector.model_file)  # fail here once rather than in every process
    labelling = Labelling(arguments.labels, arguments.pattern, arguments.signer)
    clips, warnings = find_clips(arguments.source, labelling)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if [clip.path for clip in clips] == [arguments.source]:
        if arguments.out.exists():
            raise BagError(arguments.out, "exists already", "remove it or choose another name")
        with picture_progress("Looking") as advance:
            outcomes = [write_clip(clips[0], arguments.out, options, advance)]
    else:
        outcomes = _many(clips, arguments, options)
    _report(arguments.out, outcomes)
    return 0


def _many(
    clips: list[Clip], arguments: argparse.Namespace, options: ExtractionOptions
) -> list[Outcome]:
    from whispersign_model.sensors.extraction import extract_all

    outcomes = []
    with progress_bars() as bar:
        task = bar.add_task("Extracting", total=len(clips))
        alone = bar.add_task("Looking", total=None, visible=False)

        def looked(done: int, total: int) -> None:
            bar.update(alone, completed=done, total=total, visible=True)

        for outcome in extract_all(clips, arguments.out, options, arguments.jobs, looked):
            if outcome.fault is not None and arguments.on_error == "stop":
                raise outcome.fault
            outcomes.append(outcome)
            bar.advance(task)
            if bar.disable and not outcome.known:  # shows progress in a log file, too
                print(f"{len(outcomes)} of {len(clips)}: {outcome.name}", file=sys.stderr)
    return outcomes


def _report(out: Path, outcomes: list[Outcome]) -> None:
    done = [outcome for outcome in outcomes if not outcome.fault and not outcome.known]
    frames = sum(outcome.frames for outcome in done)
    share = sum(outcome.with_hands for outcome in done) / frames if frames else 0.0
    seconds = sum(outcome.seconds for outcome in done)
    print(
        f"{out}: {len(done)} bags, {seconds:.1f} s, {frames} frames, hands in {share:.1%} of them"
    )
    if known := sum(outcome.known for outcome in outcomes):
        print(f"  {known} bags already existed")
    for outcome in outcomes:
        for note in outcome.notes:
            print(f"  {outcome.name}: {note}")
        if outcome.fault is not None:
            print(f"  left out {outcome.name}: {outcome.fault}")
