# SPDX-License-Identifier: MIT
"""Node ``preprocessing_node``: turns ``hands/filtered`` into ``hands/features``."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rclpy.node import Node

from whispersign_model.bundled import find_checkpoint
from whispersign_model.errors import RecipeError
from whispersign_model.features.frame_rate import FrameRateMonitor
from whispersign_model.features.preprocessor import FeatureBlock, Preprocessor
from whispersign_model.features.recipe import Recipe
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.recordings.recording import Coordinates
from whispersign_msgs.msg import HandFeatures, HandFrame
from whispersign_ros.conversions.messages import Frame, features_message, read_frame
from whispersign_ros.node import qos
from whispersign_ros.node.diagnostics import Diagnostics
from whispersign_ros.node.live_gate import MAX_AGE, Admission, LiveInput
from whispersign_ros.node.parameters import MODEL, ParameterSpec, declare
from whispersign_ros.node.recipe_sync import FOLLOW, GracePeriod, follow
from whispersign_ros.node.stream_monitor import InputWatchdog, SequenceTracker

PARAMETERS = (
    MODEL,
    FOLLOW,
    MAX_AGE,
    ParameterSpec(
        "idle_timeout",
        1.0,
        "seconds without input after which buffered features are flushed",
        (0.05, 60.0),
    ),
)


class PreprocessingNode(Node):
    """Resamples, normalizes and scales hands as the model's recipe specifies.

    Smooths frames that are not smoothed yet. Refuses frames whose coordinates or filter differ from
    the recipe's. A new stream starts after skipped frames. Warns once when frames are too few per
    second to recognize signs.

    Args:
        also_known: parameter names of other nodes in the process.
        table: the parameters.
        arguments: for ``rclpy.node.Node``.

    Raises:
        CheckpointError, ConfigError: the model or a parameter is invalid.
    """

    def __init__(
        self,
        also_known: Sequence[str] = (),
        table: Sequence[ParameterSpec] = PARAMETERS,
        **arguments: Any,
    ) -> None:
        super().__init__(
            "preprocessing_node", automatically_declare_parameters_from_overrides=True, **arguments
        )
        values = declare(self, table, also_known, {"model": self._change_model})
        metadata = read_metadata(find_checkpoint(values["model"]))
        self._input_sequence = SequenceTracker()
        self._frame_rate = FrameRateMonitor()
        self._grace_period = GracePeriod()  # for filters
        self._sequence = 0
        self._frame_id = ""
        self._topic = self.resolve_topic_name("hands/filtered")
        self.diagnostics = Diagnostics(self, "hands/filtered", "whispersign_msgs/msg/HandFrame")
        self._publisher = qos.publish(self, HandFeatures, "hands/features", qos.FEATURES)
        self._use(metadata.recipe, metadata.model_id)
        self._watchdog = InputWatchdog(self, values["idle_timeout"], self.flush)
        max_age = values["max_age"]
        self._live = LiveInput(self, "hands/filtered", self.diagnostics, max_age, "frames")
        profile = qos.HANDS_INPUT_LIVE if max_age else qos.HANDS_INPUT
        self._input = qos.HandsInput(self, "hands/filtered", self._process, profile)
        if values["follow"]:
            follow(self, self.diagnostics, self._adopt)

    def _use(self, recipe: Recipe, model_id: str) -> None:
        self._recipe, self._recipe_id = recipe, recipe.id
        self._preprocessor = Preprocessor(recipe)
        self._out_of_order = 0
        self.diagnostics.show("recipe", self._recipe_id)
        self.get_logger().info(f"preprocessing for {model_id}, recipe {self._recipe_id}")

    def _change_model(self, value: str) -> None:
        metadata = read_metadata(find_checkpoint(value))
        self._adopt(metadata.recipe, metadata.model_id)

    def _adopt(self, recipe: Recipe, model_id: str) -> None:
        """Switch to another recipe, and start a new stream."""
        if recipe.id != self._recipe_id:
            self.flush()
            self._grace_period.start(self._recipe.smoothing.name)
            self._use(recipe, model_id)

    @property
    def at_rest(self) -> bool:
        """Whether ``idle_timeout`` has passed since the last frame and all features are sent."""
        return not self._watchdog.armed

    def flush(self) -> None:
        """Publish pending features; the next frame starts a new stream."""
        self._publish(self._preprocessor.flush())

    def _process(self, message: HandFrame, info: Mapping[str, Any]) -> None:
        frame = read_frame(message)
        self.diagnostics.arrived(frame.stamp)
        admission = self._live.admit(info, frame.sequence, frame.stamp)
        if admission is not Admission.REFUSED:
            self._measure(frame.stamp, message.source)
        if not admission.admitted:
            self._preprocessor.reset()  # pending features are too old or of two sources
            return
        self._watchdog.feed()
        self._follow(frame.sequence, admission is Admission.FIRST)
        if self._accepts(message):
            self._preprocess(message, frame)

    def _measure(self, stamp: int, source: str) -> None:
        """Report the frame rate; warn once when it becomes too low to recognize signs."""
        fallen = self._frame_rate.push(stamp)
        self.diagnostics.warn(self._frame_rate.fault)
        if self._frame_rate.rate:
            self.diagnostics.show("frame_rate", f"{self._frame_rate.rate:.1f}")
        if fallen:
            origin = f"{self._topic} (from {source})" if source else self._topic
            self.get_logger().warning(f"{origin}: {self._frame_rate.fault}")

    def _follow(self, sequence: int, first: bool) -> None:
        """Count missed frames; flush pending features at the start of a stream."""
        restart = self._input_sequence.update(sequence)
        if first or restart:
            self.flush()
        elif self._input_sequence.missed:
            self.diagnostics.dropped("frames_missed", count=self._input_sequence.missed)

    def _preprocess(self, message: HandFrame, frame: Frame) -> None:
        """Process an accepted frame and publish the features that became final."""
        if frame.untrackable:
            self.diagnostics.dropped("joints_not_finite", count=frame.untrackable)
        begin = time.perf_counter()
        self._frame_id = message.header.frame_id
        self._publish(
            self._preprocessor.push(
                frame.stamp, frame.positions, frame.confidence, message.smoothing
            )
        )
        self.diagnostics.timed(time.perf_counter() - begin)
        self._count_drops()
        self.diagnostics.show("hands_tracked", frame.hands_tracked)

    def _accepts(self, message: HandFrame) -> bool:
        try:
            self._check(message)
        except RecipeError as error:
            if message.smoothing and self._grace_period.accepts(message.smoothing):
                self.diagnostics.dropped("frames_of_previous_model")
                return False
            self.diagnostics.refuse(str(error))
            return False
        self.diagnostics.accept()
        return True

    def _check(self, message: HandFrame) -> None:
        """Raise RecipeError if a frame does not match the recipe."""
        try:
            coordinates = Coordinates(message.coordinates)
        except ValueError as error:
            raise RecipeError(
                self._topic, f"coordinates {message.coordinates} are unknown", "see HandFrame.msg"
            ) from error
        self._recipe.check_source(self._topic, coordinates, message.smoothing)

    def _publish(self, block: FeatureBlock) -> None:
        for stamp, features, restarts in zip(
            block.stamps.tolist(), block.frames, block.restarts.tolist()
        ):
            if restarts:
                self._sequence = 0
            message = features_message(
                stamp, self._sequence, features, frame_id=self._frame_id, recipe_id=self._recipe_id
            )
            self._publisher.publish(message)
            self._sequence += 1

    def _count_drops(self) -> None:
        dropped = self._preprocessor.out_of_order - self._out_of_order
        if dropped:
            self._out_of_order += dropped
            self.diagnostics.dropped("frames_out_of_order", count=dropped)
        self.diagnostics.show("implausible_hands", self._preprocessor.implausible)
