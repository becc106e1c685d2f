# SPDX-License-Identifier: MIT
"""A camera as a sensor: detect hands in pictures, tell left from right, and locate them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from whispersign_model.arrays import Doubles
from whispersign_model.errors import ConfigError
from whispersign_model.recordings.recording import Coordinates
from whispersign_model.sensors.detector import Detection, DetectorOptions, HandDetector, Image
from whispersign_model.sensors.frame_source import FrameSource, Picture, require_usable
from whispersign_model.sensors.hand_translation import HandTranslationEstimator
from whispersign_model.sensors.handedness import HandednessTracker
from whispersign_model.sensors.intrinsics import Intrinsics
from whispersign_model.sensors.overlay import Landmarks, draw_hands
from whispersign_model.sensors.sensor import Hand, Observation
from whispersign_model.skeleton import HANDS

SOURCE = "camera"
# Camera axes (x right, y down, z away) to the sensor frame. The camera faces the signer: its right
# is the signer's left, and its z axis points toward the signer.
TO_SIGNER = np.array([-1.0, -1.0, 1.0])
COORDINATES = {
    "metric_sensor": Coordinates.METRIC_SENSOR,
    "image_normalised": Coordinates.IMAGE_NORMALISED,
}


def to_measure_in(coordinates: str, asker: str) -> Coordinates:
    """Return the coordinates in which a camera must measure for a recipe.

    Args:
        coordinates: the recipe's coordinates.
        asker: the file or node that needs the coordinates, for the error message.

    Raises:
        ConfigError: a camera cannot measure in these coordinates.
    """
    if coordinates not in COORDINATES:
        known = f"{' or '.join(COORDINATES)} can be measured with a camera"
        raise ConfigError(asker, f"the model needs {coordinates}", known)
    return COORDINATES[coordinates]


@dataclass(frozen=True)
class CameraOptions:
    """Options that control how pictures are converted to skeletons.

    Attributes:
        detector: options of the hand detector.
        coordinates: a key of ``COORDINATES``. ``metric_sensor`` means meters in the frame described
            in ``sensor``. ``image_normalised`` means image heights: x to the right and y down from
            the upper left corner of the picture, and z away from the camera, relative to the wrist.
        mirrored: whether the pictures are mirror images, as from many phones and video calls.
        field_of_view: field of view along the longer side in degrees, used without a calibration.
        hand_length: distance from wrist to middle-finger MCP joint in meters; 0 uses the detector's
            estimate.
        calibration: intrinsics of the camera; intrinsics that come with a picture take precedence.
    """

    detector: DetectorOptions = field(default_factory=DetectorOptions)
    coordinates: str = "metric_sensor"
    mirrored: bool = False
    field_of_view: float = 60.0
    hand_length: float = 0.0
    calibration: Intrinsics | None = None


def turned_round(pixels: Image) -> Image:
    """Return the picture flipped left to right."""
    return cv2.flip(pixels, 1).astype(np.uint8, copy=False)


class CameraHands:
    """Converts the pictures of one camera, in order of time, to observations.

    Attributes:
        pixels: the last picture as it was processed: flipped if it was mirrored.
        left, right: the hands detected in ``pixels``.

    Raises:
        SensorError: the detector or its model is missing.
    """

    def __init__(self, options: CameraOptions | None = None) -> None:
        self._options = options or CameraOptions()
        self._detector = HandDetector(self._options.detector)
        self.restart()

    def restart(self) -> None:
        """Start a new stream of pictures; the detector stays loaded."""
        self._handedness = HandednessTracker()
        self._translation = HandTranslationEstimator(self._options.hand_length)
        self.pixels: Image | None = None
        self.left: Detection | None = None
        self.right: Detection | None = None

    def look(self, picture: Picture, coordinates: Coordinates | None = None) -> Observation:
        """Detect and locate both hands in a picture.

        Args:
            picture: the next picture.
            coordinates: coordinates to measure in; None uses those of the options.

        Raises:
            ConfigError: the calibration has a different aspect ratio.
            SensorError: the picture is empty or too large.
        """
        pixels = picture.pixels
        require_usable(pixels, SOURCE)
        if self._options.mirrored:
            pixels = turned_round(pixels)
        self.pixels = pixels
        found = self._detector.detect(pixels, picture.stamp)
        self.left, self.right = self._handedness.assign(picture.stamp, found)
        wanted = coordinates or COORDINATES[self._options.coordinates]
        hands = [self._hand(*side, picture, wanted) for side in zip(HANDS, (self.left, self.right))]
        return Observation.of_hands(picture.stamp, *hands)

    def close(self) -> None:
        """Release the detector."""
        self._detector.close()

    def _hand(
        self, side: str, hand: Detection | None, picture: Picture, coordinates: Coordinates
    ) -> Hand | None:
        if hand is None:
            return None
        height, width = picture.pixels.shape[:2]
        if coordinates is Coordinates.IMAGE_NORMALISED:
            depths = hand.depths - hand.depths[0]
            return np.column_stack([hand.pixels, depths]) / height, hand.score
        rays = self._rays(hand.pixels, picture, width, height)
        placed = self._translation.place(side, picture.stamp, hand.world, rays)
        if placed is None:
            return None
        joints, fit = placed
        return joints * TO_SIGNER, hand.score * fit

    def _rays(self, pixels: Doubles, picture: Picture, width: int, height: int) -> Doubles:
        options = self._options
        known = picture.intrinsics or options.calibration
        if known is None:
            known = Intrinsics.of_view(width, height, options.field_of_view)
        known = known.fitted(width, height)
        if not options.mirrored:
            return known.rays(pixels)
        # Distortion applies to the original picture, so flip the pixels back.
        turned = known.rays(np.column_stack([width - pixels[:, 0], pixels[:, 1]]))
        return turned * (-1.0, 1.0)


class CameraSensor:
    """A ``Sensor`` that detects hands in pictures.

    The detector is loaded once, however often the camera is reopened; ``release`` it at the end.

    Attributes:
        coordinates: coordinates of the last observation.
        seconds: processing time of the last picture.

    Raises:
        SensorError: the detector or its model is missing.
    """

    source = SOURCE

    def __init__(self, source: FrameSource, options: CameraOptions | None = None) -> None:
        options = options or CameraOptions()
        self.coordinates = self._wanted = COORDINATES[options.coordinates]
        self.host_clock = source.host_clock
        self.seconds = 0.0
        self._source = source
        self._hands = CameraHands(options)
        self._size = ""

    def measure_in(self, coordinates: Coordinates) -> None:
        """Set the coordinates from the next picture on. This method is thread-safe."""
        self._wanted = coordinates

    def open(self) -> None:
        """Open the camera, which starts a new stream."""
        self._source.open()
        self._hands.restart()

    def read(self, timeout: float) -> Observation | None:
        """Detect the hands in the next picture."""
        picture = self._source.read(timeout)
        if picture is None:
            return None
        self.coordinates = self._wanted
        begin = time.perf_counter()
        observation = self._hands.look(picture, self.coordinates)
        self.seconds = time.perf_counter() - begin
        height, width = picture.pixels.shape[:2]
        self._size = f"{width}x{height}"
        return observation

    def landmarks(self) -> Landmarks:
        """Return the hand landmarks in the last picture by side."""
        found = {"left": self._hands.left, "right": self._hands.right}
        return {side: None if hand is None else hand.pixels for side, hand in found.items()}

    def drawn(self) -> Image:
        """Return the last picture with its hands drawn in."""
        assert self._hands.pixels is not None
        return draw_hands(self._hands.pixels, self.landmarks())

    def close(self) -> None:
        """Close the camera; the detector stays loaded."""
        self._source.close()

    def release(self) -> None:
        """Release the detector, after which the sensor cannot be used."""
        self._hands.close()

    def drops(self) -> Mapping[str, int]:
        """Return lost pictures by cause."""
        return self._source.drops

    def values(self) -> Mapping[str, object]:
        """Return the picture size."""
        return {"picture": self._size}
