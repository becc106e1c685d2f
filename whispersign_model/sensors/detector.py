# SPDX-License-Identifier: MIT
"""Detect hands and their landmarks in pictures with MediaPipe."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whispersign_model.arrays import Doubles
from whispersign_model.errors import SensorError, install_extra, missing_dependency
from whispersign_model.files import require_file
from whispersign_model.sensors.no_network import run_without_network
from whispersign_model.streams import without_library_messages
from whispersign_model.timestamps import NANOSECONDS

Image = NDArray[np.uint8]  # (H, W, 3), BGR

BUNDLE = "hand_landmarker.task"
CACHES = (f"{sys.prefix}/share/whispersign/{BUNDLE}", f"~/.cache/whispersign/{BUNDLE}")
MILLISECOND = NANOSECONDS // 1000
HANDS = 2
STILL_NEAR = NANOSECONDS // 2  # search every picture for a hand lost more recently


@dataclass(frozen=True)
class DetectorOptions:
    """Options for the hand detector.

    Attributes:
        model_file: path to ``hand_landmarker.task``; "" uses the file that ``make`` prepares.
        detection, presence, tracking: minimum confidences, in [0, 1], for a hand in the whole
            picture, a hand in the tracked region, and the overlap of that region between pictures.
        search: seconds between searches for the other hand while one hand is tracked; 0 searches
            every picture.
    """

    model_file: str = ""
    detection: float = 0.5
    presence: float = 0.5
    tracking: float = 0.5
    search: float = 0.1


@dataclass(frozen=True, eq=False)
class Detection:
    """A hand detected in a picture.

    Attributes:
        right: probability in [0, 1] that it is a right hand.
        pixels: ``(21, 2)`` pixel coordinates, x right, y down.
        depths: ``(21,)`` distances from the camera relative to the wrist's, in pixels.
        world: ``(21, 3)`` meters from the center of the hand: x right, y down, z away from the
            camera.
    """

    right: float
    pixels: Doubles
    depths: Doubles
    world: Doubles

    @property
    def score(self) -> float:
        """The detector's confidence in the side of the hand, in [0.5, 1]."""
        return max(self.right, 1 - self.right)

    @property
    def extent(self) -> float:
        """The size in pixels: the mean distance of the landmarks from their center."""
        return float(np.linalg.norm(self.pixels - self.pixels.mean(axis=0), axis=1).mean())

    def near(self, earlier: Detection) -> bool:
        """Return whether this may be the same hand one picture later, moved less than its width."""
        step = self.pixels.mean(axis=0) - earlier.pixels.mean(axis=0)
        return float(np.linalg.norm(step)) < 2 * earlier.extent


def find_bundle(given: str) -> Path:
    """Return the path to the detector's model file.

    Raises:
        SensorError: the file is missing or not a regular file.
    """
    # A user of a container may have no home, for which Path.expanduser raises an error.
    candidates = [Path(os.path.expanduser(name)) for name in ((given,) if given else CACHES)]
    for path in candidates:
        if path.exists():
            require_file(path, SensorError)
            return path
    raise SensorError(
        candidates[0],
        "the hand detector's model is missing",
        "run `make setup` or `python tools/hand_landmarker.py`, or name the file in model_file",
    )


class HandDetector:
    """Detects up to two hands and tracks them from picture to picture.

    While MediaPipe tracks fewer hands than requested, it searches the whole picture, which takes
    longer than tracking two hands. Therefore, a separate one-hand landmarker tracks a hand that has
    been alone for a while, and the search for the other hand runs only occasionally.

    Args:
        options: see ``DetectorOptions``.

    Raises:
        SensorError: MediaPipe, a library that it needs, or its model is missing or damaged.
    """

    def __init__(self, options: DetectorOptions | None = None) -> None:
        options = options or DetectorOptions()
        bundle = find_bundle(options.model_file)
        # MediaPipe profiles its threads with SIGPROF timers. A timer that outlives the profiler's
        # handler kills the process. The threads that MediaPipe starts inherit this mask.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPROF})
        try:
            import cv2
            import mediapipe
        except (ImportError, OSError) as error:
            raise import_error("camera", error) from error
        try:
            # MediaPipe reports every use to Google and has no switch for it. A landmarker works in
            # threads of its own, which it starts when it is created.
            with without_library_messages():
                self._one, self._both = run_without_network(
                    lambda: [_landmarker(bundle, options, count) for count in (1, HANDS)]
                )
        except (RuntimeError, ValueError, OSError) as error:
            if missing_dependency(error):  # MediaPipe loads its library here
                raise import_error("camera", error) from error
            fault = f"is not a model of MediaPipe's hand detector ({error})"
            raise SensorError(bundle, fault, "create it again") from error
        self._image: Callable[[Image], Any] = lambda pixels: mediapipe.Image(
            image_format=mediapipe.ImageFormat.SRGB, data=cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        )
        # MediaPipe writes warnings about the first picture.
        self._quiet: Callable[[], AbstractContextManager[None]] = without_library_messages
        self._clock = -1  # milliseconds of the last picture; MediaPipe requires increasing stamps
        self._search = round(options.search * NANOSECONDS)
        self._alone: Detection | None = None  # the only hand in the last picture
        self._searched = -1  # nanoseconds of the last search for two hands
        self._lost = -STILL_NEAR  # nanoseconds of the last detection of two hands

    def detect(self, pixels: Image, stamp: int) -> list[Detection]:
        """Detect the hands in a picture ``(H, W, 3)`` captured at ``stamp`` nanoseconds."""
        self._clock = max(self._clock + 1, stamp // MILLISECOND)
        image = self._image(pixels)
        followed = self._follow(image, stamp)
        if followed is not None and 0 <= stamp - self._searched < self._search:
            self._alone = followed
            return [followed]
        self._searched = stamp
        found = self._look(self._both, image)
        if len(found) == HANDS:
            self._lost = stamp
        if len(found) != 1:
            self._alone = None
            return found
        self._alone = followed if followed and followed.near(found[0]) else found[0]
        return [self._alone]

    def close(self) -> None:
        """Release the landmarkers, which fail to release themselves when Python ends."""
        self._one.close()
        self._both.close()

    def _follow(self, image: Any, stamp: int) -> Detection | None:
        """Track a hand that has been alone for a while; return None if there is none."""
        just_lost = 0 <= stamp - self._lost < STILL_NEAR
        if self._alone is None or just_lost or not self._search:
            return None
        found = self._look(self._one, image)
        return found[0] if found and found[0].near(self._alone) else None

    def _look(self, landmarker: Any, image: Any) -> list[Detection]:
        with self._quiet():
            found = landmarker.detect_for_video(image, self._clock)
        self._quiet = nullcontext
        return [
            _detection(side[0], landmarks, world, image.width, image.height)
            for side, landmarks, world in zip(
                found.handedness, found.hand_landmarks, found.hand_world_landmarks
            )
        ]


def import_error(subject: str, error: Exception) -> SensorError:
    """Return the error about a package or library that cameras need and that cannot be loaded."""
    fault = f"OpenCV or MediaPipe cannot be loaded ({type(error).__name__}: {error})"
    missing = missing_dependency(error, "camera")
    return SensorError(subject, *(missing or (fault, install_extra("camera"))))


def _landmarker(bundle: Path, options: DetectorOptions, hands: int) -> Any:
    """Create MediaPipe's landmarker for up to ``hands`` hands in successive pictures."""
    from mediapipe.tasks.python import BaseOptions, vision

    return vision.HandLandmarker.create_from_options(
        vision.HandLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(bundle)),
            running_mode=vision.RunningMode.VIDEO,
            num_hands=hands,
            min_hand_detection_confidence=options.detection,
            min_hand_presence_confidence=options.presence,
            min_tracking_confidence=options.tracking,
        )
    )


def _detection(side: Any, landmarks: Any, world: Any, width: int, height: int) -> Detection:
    points = np.array([[point.x, point.y, point.z] for point in landmarks], dtype=np.float64)
    score = float(side.score)
    return Detection(
        right=score if side.category_name == "Right" else 1 - score,
        pixels=points[:, :2] * (width, height),
        depths=points[:, 2] * width,  # MediaPipe scales z in the same way as x
        world=np.array([[point.x, point.y, point.z] for point in world], dtype=np.float64),
    )
