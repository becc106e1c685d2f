# SPDX-License-Identifier: MIT
"""Node ``camera_node``: publishes hands from a camera, a file or a topic on ``hands/raw``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor_msgs.msg import Image
from std_msgs.msg import Header

from whispersign_model.bundled import find_checkpoint
from whispersign_model.errors import ConfigError, WhisperSignError
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.sensors.detector import DetectorOptions, find_bundle, import_error
from whispersign_model.sensors.intrinsics import read_calibration
from whispersign_model.sensors.sensor import Observation, Sensor, SensorSilentError
from whispersign_ros.conversions.images import TopicPictures, image_message
from whispersign_ros.conversions.messages import time_message
from whispersign_ros.node import qos
from whispersign_ros.node.parameters import MODEL, Change, ParameterSpec
from whispersign_ros.node.recipe_sync import FOLLOW, follow
from whispersign_ros.nodes.sensor_base import SHARED_PARAMETERS, SensorNode
from whispersign_ros.playback.player import wait_for_listeners

if TYPE_CHECKING:
    from whispersign_model.sensors.camera import CameraSensor
    from whispersign_model.sensors.frame_source import FrameSource

TOPICS = ("topic", "compressed_topic")
PARAMETERS = (
    MODEL,
    FOLLOW,
    ParameterSpec(
        "input",
        "0",
        "camera (number, or path such as /dev/v4l/by-id/...), video file, folder of images, "
        "'topic' (image, camera_info) or 'compressed_topic' (image/compressed, camera_info)",
        or_number=True,
    ),
    ParameterSpec(
        "width", 1280, "requested width in pixels; 0 keeps the camera's default", (0, 16384)
    ),
    ParameterSpec(
        "height", 720, "requested height in pixels; 0 keeps the camera's default", (0, 16384)
    ),
    ParameterSpec(
        "frame_rate",
        30.0,
        "requested frame rate of a camera, or frame rate of a folder of images, in Hz",
        (1.0, 240.0),
    ),
    ParameterSpec(
        "pixel_format", "MJPG", "requested pixel format (FourCC); empty keeps the camera's default"
    ),
    ParameterSpec("mirrored", False, "whether the images are mirrored"),
    ParameterSpec(
        "coordinates",
        "model",
        "metric_sensor: meters in the camera frame; image_normalised: units of image height; "
        "model: the coordinates that the model was trained on",
        choices=("model", "metric_sensor", "image_normalised"),
    ),
    ParameterSpec(
        "field_of_view",
        60.0,
        "field of view in degrees along the longer image side; ignored with a calibration",
        (10.0, 170.0),
    ),
    ParameterSpec(
        "calibration", "", "file written by ROS camera_calibration; camera_info takes precedence"
    ),
    ParameterSpec(
        "hand_length",
        0.0,
        "distance in meters from the signer's wrist to the middle-finger MCP joint; 0.0 uses the "
        "detector's estimate",
        (0.0, 0.2),
    ),
    ParameterSpec(
        "model_file", "", "path of hand_landmarker.task; empty uses the file from `make setup`"
    ),
    ParameterSpec(
        "detection", 0.5, "minimum confidence to detect a hand in a whole image", (0.05, 1.0)
    ),
    ParameterSpec("presence", 0.5, "minimum confidence to keep tracking a hand", (0.05, 1.0)),
    ParameterSpec(
        "tracking",
        0.5,
        "minimum overlap of a hand between two images to keep tracking it",
        (0.05, 1.0),
    ),
    ParameterSpec(
        "search",
        0.1,
        "seconds between searches for a hand that has long been absent; 0.0 searches every image",
        (0.0, 10.0),
    ),
    ParameterSpec(
        "every_frame",
        False,
        "process every frame of a file, even if slower than real time; false plays it in real time",
    ),
    ParameterSpec("exit_at_end", True, "exit after the last image; false keeps the node running"),
    ParameterSpec(
        "wait_for", [""], "nodes that must subscribe before a file starts, e.g. recognition_node"
    ),
    ParameterSpec(
        "wait_timeout", 60.0, "maximum wait for these subscribers in seconds", (0.0, 3600.0)
    ),
    *SHARED_PARAMETERS,
)


class CameraNode(SensorNode):
    """Detects hands in a separate thread, always in the newest image; counts skipped images.

    By default, positions use the coordinates of ``model``. With ``follow``, they change with the
    model of recognition_node.

    Args:
        on_end: called after a file's last image if ``exit_at_end`` is set.
        also_known: names of parameters that other nodes in the process declare.
        arguments: passed to ``rclpy.node.Node``.

    Raises:
        WhisperSignError: a parameter is invalid; with ``autostart``, a file or model is missing.
    """

    def __init__(
        self, on_end: Callable[[], None], also_known: Sequence[str] = (), **arguments: Any
    ) -> None:
        self._camera: CameraSensor | None = None
        self._topic_pictures: TopicPictures | None = None
        self._is_silent = False
        self._is_file = False
        super().__init__("camera_node", PARAMETERS, on_end, also_known, **arguments)
        self._as_model = self.values["coordinates"] == "model"
        self._coordinates = "" if self._as_model else self.values["coordinates"]
        if self._as_model and self.values["follow"]:
            follow(
                self, self.diagnostics, lambda recipe, _: self._on_coordinates(recipe.coordinates)
            )
        self.diagnostics.watch(self._silence)
        self._pictures = qos.publish(self, Image, "hands/image", qos.IMAGES)
        if not self.values["exit_at_end"]:
            self.on_end = lambda: None
        self.begin()

    def make_sensor(self) -> Sensor:
        """Create a camera with a detector from the parameters."""
        values = self.values
        find_bundle(values["model_file"])
        if len(values["pixel_format"]) not in (0, 4):
            raise ConfigError("parameter 'pixel_format'", "must have four letters", "such as MJPG")
        calibration = Path(values["calibration"]).expanduser() if values["calibration"] else None
        try:
            if find_spec("mediapipe") is None:  # waiting for the sensor would not help
                raise ModuleNotFoundError(name="mediapipe")
            from whispersign_model.sensors.camera import CameraOptions, CameraSensor, to_measure_in
        except (ImportError, OSError) as error:
            raise import_error(self.get_name(), error) from error
        if not self._coordinates:
            self._coordinates = _wanted_by(values["model"])
        to_measure_in(self._coordinates, self.get_name())
        detection = ("model_file", "detection", "presence", "tracking", "search")
        options = CameraOptions(
            detector=DetectorOptions(*(values[name] for name in detection)),
            coordinates=self._coordinates,
            mirrored=values["mirrored"],
            field_of_view=values["field_of_view"],
            hand_length=values["hand_length"],
            calibration=read_calibration(calibration) if calibration else None,
        )
        self._camera = CameraSensor(self._make_pictures(), options)
        return self._camera

    def _changes(self) -> Mapping[str, Change]:
        return {"model": self._change_model}

    def _change_model(self, value: str) -> None:
        coordinates = _wanted_by(value)
        if self._as_model:
            self._measure_in(coordinates)

    def _on_coordinates(self, coordinates: str) -> None:
        try:
            self._measure_in(coordinates)
        except ConfigError as error:
            self.diagnostics.dropped("recipes_unusable", str(error))

    def _measure_in(self, coordinates: str) -> None:
        """Change the coordinates, starting with the next image."""
        if self._camera is not None:
            from whispersign_model.sensors.camera import to_measure_in

            self._camera.measure_in(to_measure_in(coordinates, self.get_name()))
        self._coordinates = coordinates

    def opened(self) -> None:
        """Start a new stream; for a file, first wait for subscribers."""
        super().opened()
        if self._is_file:
            names = set(filter(None, self.values["wait_for"]))
            wait_for_listeners(self, names, self.values["wait_timeout"], self.stopping)

    def lost(self, error: WhisperSignError) -> None:
        """Report a missing, disconnected or silent camera; explain why a topic is silent."""
        self._is_silent = isinstance(error, SensorSilentError)
        if self._is_silent and self._topic_pictures is not None:
            error = self._topic_pictures.explain_silence()
        super().lost(error)

    def _release(self) -> None:
        super()._release()
        self._is_silent = False

    def _forget(self) -> None:
        super()._forget()
        self._release_detector()

    def destroy_node(self) -> None:
        """Stop reading, release the detector and destroy the node."""
        super().destroy_node()
        self._release_detector()

    def _release_detector(self) -> None:
        if self._camera is not None:
            self._camera.release()
        self._camera = None

    def _silence(self) -> str:
        """Return why the image topic is silent now, because its publishers may change, or ""."""
        if not self._is_silent or self._topic_pictures is None:
            return ""
        return str(self._topic_pictures.explain_silence())

    def observed(self, observation: Observation) -> None:
        """Publish the hands, and draw them on ``hands/image`` if it has subscribers."""
        self._is_silent = False
        super().observed(observation)
        assert self._camera is not None
        self.diagnostics.timed(self._camera.seconds)
        if self._pictures.get_subscription_count():
            header = Header(stamp=time_message(self.last_stamp), frame_id=self.values["frame_id"])
            self._pictures.publish(image_message(self._camera.drawn(), header))

    def _make_pictures(self) -> FrameSource:
        from whispersign_model.sensors.background_reader import BackgroundReader
        from whispersign_model.sensors.picture_device import Device, DeviceOptions
        from whispersign_model.sensors.picture_files import Played, open_file

        values = self.values
        given = values["input"]
        path = Path(given).expanduser()
        self._is_file, self._topic_pictures = False, None
        if given in TOPICS:
            self._topic_pictures = TopicPictures(self, compressed=given == "compressed_topic")
            return self._topic_pictures
        if path.is_file() or path.is_dir():
            self._is_file = True
            file = open_file(path, values["frame_rate"])
            return (
                Played(file, paced=False)
                if values["every_frame"]
                else BackgroundReader(Played(file))
            )
        if not given.isdecimal() and not given.startswith("/dev/"):
            raise ConfigError("parameter 'input'", f"there is no file {given}", "check the path")
        options = DeviceOptions(
            values["width"], values["height"], values["frame_rate"], values["pixel_format"]
        )
        return BackgroundReader(Device(given, options))


def _wanted_by(model: str) -> str:
    """Return the coordinates that a model was trained on."""
    return read_metadata(find_checkpoint(model)).recipe.coordinates
