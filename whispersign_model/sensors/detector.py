# SPDX-License-Identifier: MIT
"""MediaPipe's hand detector: pictures in, hands with their landmarks out."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whispersign_model.arrays import Doubles
from whispersign_model.errors import SensorError
from whispersign_model.timestamps import NANOSECONDS

Image = NDArray[np.uint8]  # (H, W, 3), blue green red

BUNDLE = "hand_landmarker.task"
CACHES = (
    Path(sys.prefix) / "share/whispersign" / BUNDLE,
    Path.home() / ".cache/whispersign" / BUNDLE,
)
MILLISECOND = NANOSECONDS // 1000
HANDS = 2
STILL_NEAR = NANOSECONDS // 2  # a hand lost more recently is looked for in every picture


@dataclass(frozen=True)
class DetectorOptions:
    """How hands are looked for.

    Attributes:
        model_file: ``hand_landmarker.task``; "" for the one that ``make`` prepared.
        detection, presence, tracking: least confidence, in [0, 1], that a hand is there: when it
            is looked for in the whole picture, in the region where it is followed, and of the
            overlap of that region from picture to picture.
        search: seconds from one look for the other hand to the next, while one is followed; 0: in
            every picture.
    """

    model_file: str = ""
    detection: float = 0.5
    presence: float = 0.5
    tracking: float = 0.5
    search: float = 0.1


@dataclass(frozen=True, eq=False)
class Detection:
    """A hand in a picture.

    Attributes:
        right: probability in [0, 1] that it is a right hand.
        pixels: ``(21, 2)`` x right, y down, of the picture.
        depths: ``(21,)`` away from the camera, relative to the wrist, in pixels.
        world: ``(21, 3)`` metres, x right, y down, z away, about the middle of the hand.
    """

    right: float
    pixels: Doubles
    depths: Doubles
    world: Doubles

    @property
    def score(self) -> float:
        """How sure the detector is of the side, in [0.5, 1]."""
        return max(self.right, 1 - self.right)

    @property
    def extent(self) -> float:
        """Size in pixels: the mean distance of the landmarks from their middle."""
        return float(np.linalg.norm(self.pixels - self.pixels.mean(axis=0), axis=1).mean())

    def near(self, earlier: Detection) -> bool:
        """Whether it can be the same hand, a picture later: moved by no more than its width."""
        step = self.pixels.mean(axis=0) - earlier.pixels.mean(axis=0)
        return float(np.linalg.norm(step)) < 2 * earlier.extent


def find_bundle(given: str) -> Path:
    """Return the detector's model file.

    Raises:
        SensorError: it is missing; the error names the source.
    """
    candidates = (Path(given).expanduser(),) if given else CACHES
    for path in candidates:
        if path.is_file():
            return path
    raise SensorError(
        candidates[0],
        "the hand detector's model is missing",
        "run `make setup` or `python tools/hand_landmarker.py`, or name the file in model_file",
    )


class HandDetector:
    """Finds up to two hands, and follows them from picture to picture.

    MediaPipe looks through the whole picture as long as it follows fewer hands than it was asked
    for, which takes longer than to follow two. A hand that has long been alone is therefore
    followed by a landmarker that was asked for one, and the other hand looked for now and then.

    Args:
        options: see ``DetectorOptions``.

    Raises:
        SensorError: MediaPipe or its model is missing or damaged.
    """

    def __init__(self, options: DetectorOptions | None = None) -> None:
        options = options or DetectorOptions()
        bundle = find_bundle(options.model_file)
        # MediaPipe profiles its threads with SIGPROF timers. A timer that outlives the profiler's
        # handler ends the process. The threads that MediaPipe starts inherit this mask.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPROF})
        try:
            import cv2
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except ModuleNotFoundError as error:
            raise SensorError(
                "camera",
                f"the Python package '{error.name}' is missing",
                "install the extra 'camera' of whispersign_ros",
            ) from error
        base = BaseOptions(model_asset_path=str(bundle))
        try:
            self._one, self._both = (
                vision.HandLandmarker.create_from_options(
                    vision.HandLandmarkerOptions(
                        base_options=base,
                        running_mode=vision.RunningMode.VIDEO,
                        num_hands=hands,
                        min_hand_detection_confidence=options.detection,
                        min_hand_presence_confidence=options.presence,
                        min_tracking_confidence=options.tracking,
                    )
                )
                for hands in (1, HANDS)
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise SensorError(
                bundle, "is not a model of MediaPipe's hand detector", "make it anew"
            ) from error
        self._image: Callable[[Image], Any] = lambda pixels: mediapipe.Image(
            image_format=mediapipe.ImageFormat.SRGB, data=cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        )
        self._clock = -1  # milliseconds of the last picture: MediaPipe wants them to increase
        self._search = round(options.search * NANOSECONDS)
        self._alone: Detection | None = None  # the only hand of the last picture
        self._searched = -1  # nanoseconds: when two hands were last looked for, ...
        self._lost = -STILL_NEAR  # ... and when they were last found

    def detect(self, pixels: Image, stamp: int) -> list[Detection]:
        """Find the hands in a picture ``(H, W, 3)`` captured at ``stamp`` nanoseconds."""
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
        """Free the networks."""
        self._one.close()
        self._both.close()

    def _follow(self, image: Any, stamp: int) -> Detection | None:
        """Return the hand that has long been alone, where it is now."""
        just_lost = 0 <= stamp - self._lost < STILL_NEAR
        if self._alone is None or just_lost or not self._search:
            return None
        found = self._look(self._one, image)
        return found[0] if found and found[0].near(self._alone) else None

    def _look(self, landmarker: Any, image: Any) -> list[Detection]:
        found = landmarker.detect_for_video(image, self._clock)
        return [
            _detection(side[0], landmarks, world, image.width, image.height)
            for side, landmarks, world in zip(
                found.handedness, found.hand_landmarks, found.hand_world_landmarks
            )
        ]


def _detection(side: Any, landmarks: Any, world: Any, width: int, height: int) -> Detection:
    points = np.array([[point.x, point.y, point.z] for point in landmarks], dtype=np.float64)
    score = float(side.score)
    return Detection(
        right=score if side.category_name == "Right" else 1 - score,
        pixels=points[:, :2] * (width, height),
        depths=points[:, 2] * width,  # MediaPipe's z has the scale of x
        world=np.array([[point.x, point.y, point.z] for point in world], dtype=np.float64),
    )
