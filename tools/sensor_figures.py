#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure recognition from cameras: cost of camera_node, word error rate, and hand detection.

    sensor_figures.py cost VIDEO            # camera_node: images per second, latency, CPU
    sensor_figures.py words FOLDER MODEL    # videos with labels.csv, through the pipeline
    sensor_figures.py hands FOLDER BAGS     # rendered videos, and bags of `--sensor ideal`

``cost`` plays a video in real time and then as fast as possible. On a busy machine, only the CPU
time per image is comparable. ``words`` prints the glosses of each video and the overall word error
rate. ``hands`` reports the share of detected hands and their error.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from whispersign_model.evaluation.metrics import GlossErrors
from whispersign_model.recordings.bags.bag import read_bag
from whispersign_model.recordings.labels import find_labels
from whispersign_model.sensors.camera import CameraOptions, CameraSensor
from whispersign_model.sensors.collection import Labelling, find_clips
from whispersign_model.sensors.extraction import ExtractionOptions, record
from whispersign_model.sensors.picture_files import open_file
from whispersign_model.skeleton import HANDS, LEFT, RIGHT
from whispersign_model.synthesis.camera import Camera
from whispersign_msgs.msg import HandFrame
from whispersign_ros.graph.child_processes import Children
from whispersign_ros.graph.monitor import MONITOR, monitored
from whispersign_ros.graph.process_usage import Usage

EDGE = 5.0  # pixels; hands closer to the image's edge do not count
NEAR = 40.0  # pixels; a detection with a smaller mean error matches a hand
BOUND = 600.0  # seconds after which a process counts as hanging
ON_ITS_WAY = 0.4  # seconds to wait for the last messages
WAYS: dict[str, dict[str, Any]] = {
    "in real time": {},
    "every image": {"every_frame": True, "max_age": 0.0},
    "every image, with a search for missing hands in each": {"every_frame": True, "search": 0.0},
}


def main() -> int:
    """Run the measurement that the command line selects."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("what", choices=("cost", "words", "hands"))
    parser.add_argument("source", type=Path, metavar="VIDEO|FOLDER")
    parser.add_argument("model", nargs="?", default="demo", metavar="MODEL|BAGS")
    arguments = parser.parse_args()
    if arguments.what == "cost":
        for way, parameters in WAYS.items():
            print(f"{way}: {cost(arguments.source, parameters)}", flush=True)
    elif arguments.what == "words":
        print(words(arguments.source, arguments.model))
    else:
        print(hands(arguments.source, Path(arguments.model)))
    return 0


def cost(video: Path, way: dict[str, Any]) -> str:
    """Play a video through camera_node in one of ``WAYS``; return the cost as text."""
    arrivals: list[tuple[float, float]] = []  # host time and age, in seconds
    cpu: list[float] = []

    def took(children: Children, message: HandFrame) -> None:
        if not children.running("camera_node"):
            return  # the process has ended and its CPU time is gone
        age = time.time() - message.header.stamp.sec - message.header.stamp.nanosec / 1e9
        arrivals.append((time.monotonic(), age))
        cpu.append(Usage.of(children.pids).processor["camera_node"])

    parameters = {"input": str(video), "wait_for": [MONITOR], **way}
    _run("camera_node", parameters, "hands/raw", took)
    times, ages = np.array(arrivals).T
    wall, used = times[-1] - times[0], cpu[-1] - cpu[0]
    steps = len(times) - 1
    latency = "" if way else f", latency p50 {1e3 * np.median(ages):.0f} ms, " + (
        f"p95 {1e3 * np.percentile(ages, 95):.0f} ms"
    )  # fmt: skip
    return (
        f"{len(times)} pictures, "
        f"{steps / wall:.1f} a second, {1e3 * used / steps:.1f} ms of CPU each, "
        f"{used / wall:.0%} of one core{latency}"
    )


def words(folder: Path, model: str) -> str:
    """Play a folder of labeled videos through the pipeline; return the word error rate."""
    clips, _ = find_clips(folder, Labelling())
    rows, _ = find_labels([clip.path for clip in clips], None)
    errors = GlossErrors()
    for clip in clips:
        signed = [gloss for row in rows[clip.path] for gloss in row.glosses]
        found: list[str] = []
        parameters = {"source": "camera", "input": str(clip.path), "every_frame": True}
        parameters |= {"model": model, "max_age": 0.0}
        _run("pipeline", parameters, "gloss", lambda _, m, to=found: to.append(m.gloss))  # type: ignore[misc]
        errors.add(signed, found)
        print(f"{clip.name}: {' '.join(found) or '-'}  (signed: {' '.join(signed)})", flush=True)
    return (
        f"{len(clips)} videos, {errors.glosses} glosses, {errors.errors} errors: "
        f"WER {errors.wer:.3f}, {errors.exact} of {len(clips)} videos exactly right"
    )


def hands(folder: Path, bags: Path) -> str:
    """Detect hands in rendered videos and compare each frame with the ground truth."""
    camera, offs, sides, expected = Camera(), [], [], 0
    options = CameraOptions(
        field_of_view=math.degrees(2 * math.atan2(camera.width / 2, camera.focal))
    )
    for clip in find_clips(folder, Labelling())[0]:
        truth = iter(read_bag(bags / clip.name).positions)

        def looked(_: int, sensor: CameraSensor) -> None:
            nonlocal expected
            true, seen = next(truth), sensor.landmarks()  # noqa: B023
            found = [pixels for pixels in seen.values() if pixels is not None]
            for side, joints in zip(HANDS, (true[LEFT], true[RIGHT])):
                if not camera.sees(joints, margin=EDGE):
                    continue
                expected += 1
                away = [np.linalg.norm(p - camera.project(joints), axis=1).mean() for p in found]
                if away and min(away) < NEAR:
                    offs.append(min(away))
                    sides.append(found[int(np.argmin(away))] is seen[side])

        record(open_file(clip.path), ExtractionOptions(camera=options), clip.name, looked)
        print(f"{clip.name}: {len(offs)} of {expected} hands so far", flush=True)
    return (
        f"{expected} hands in view, {len(offs) / expected:.1%} found, of these "
        f"{np.mean(sides):.1%} on the right side, {np.mean(offs):.1f} pixels off"
    )


def _run(
    executable: str, parameters: dict[str, Any], topic: str, heard: Callable[[Children, Any], None]
) -> None:
    """Run an executable until it ends, and pass the messages of a topic to a function."""
    with monitored() as monitor:
        children = monitor.children
        monitor.subscribe(topic, lambda message: heard(children, message))
        children.start(executable, parameters)
        monitor.until(lambda: children.ended(executable), f"the end of {executable}", BOUND)
        monitor.spin(ON_ITS_WAY)


if __name__ == "__main__":
    sys.exit(main())
