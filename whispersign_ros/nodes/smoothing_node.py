# SPDX-License-Identifier: MIT
"""Node ``smoothing_node``: filters ``hands/raw`` and publishes ``hands/filtered``."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node

from whispersign_model.bundled import find_checkpoint
from whispersign_model.features.recipe import Smoothing
from whispersign_model.features.smoothing import Smoother
from whispersign_model.network.checkpoint import read_metadata
from whispersign_msgs.msg import HandFrame
from whispersign_ros.conversions.messages import Frame, read_frame, set_hands
from whispersign_ros.node import qos
from whispersign_ros.node.diagnostics import Diagnostics
from whispersign_ros.node.live_gate import MAX_AGE, Admission, LiveInput
from whispersign_ros.node.parameters import MODEL, ParameterSpec, declare
from whispersign_ros.node.recipe_sync import FOLLOW, follow
from whispersign_ros.node.stream_monitor import SequenceTracker

FIELDS = ("min_cutoff", "beta", "d_cutoff", "window_size")  # of Smoothing, used as parameters


def _field(name: str, description: str, limits: tuple[float, float]) -> ParameterSpec:
    return ParameterSpec(name, getattr(Smoothing(), name), description, limits)


PARAMETERS = (
    MODEL,
    FOLLOW,
    MAX_AGE,
    ParameterSpec(
        "kind",
        "model",
        "filter; model uses the model's own filter and ignores the parameters below",
        choices=("model", "none", "one_euro", "moving_average"),
    ),
    _field("min_cutoff", "one_euro: cutoff frequency in Hz for a hand at rest", (0.01, 100.0)),
    _field(
        "beta",
        "one_euro: increase in the cutoff frequency with speed, in Hz per m/s",
        (0.0, 1000.0),
    ),
    _field("d_cutoff", "one_euro: cutoff frequency in Hz for the speed estimate", (0.01, 100.0)),
    _field("window_size", "moving_average: number of frames averaged", (1, 100)),
)


class SmoothingNode(Node):
    """Filters positions, and leaves header, sequence and confidence unchanged.

    Frames that are already smoothed (``HandFrame.smoothing`` is not empty) pass unchanged. After
    skipped frames, the sequence starts again from 0.

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
            "smoothing_node", automatically_declare_parameters_from_overrides=True, **arguments
        )
        values = declare(self, table, also_known, {"model": self._change_model})
        self._as_model = values["kind"] == "model"
        if self._as_model:
            smoothing = read_metadata(find_checkpoint(values["model"])).recipe.smoothing
        else:
            smoothing = Smoothing(kind=values["kind"], **{field: values[field] for field in FIELDS})
        self._sequence = SequenceTracker()
        self._first_sequence = 0  # becomes 0 in the output
        self.diagnostics = Diagnostics(self, "hands/raw", "whispersign_msgs/msg/HandFrame")
        self._use(smoothing)
        self._publisher = qos.publish(self, HandFrame, "hands/filtered", qos.HANDS)
        max_age = values["max_age"]
        self._live = LiveInput(self, "hands/raw", self.diagnostics, max_age, "frames")
        profile = qos.HANDS_INPUT_LIVE if max_age else qos.HANDS_INPUT
        self._input = qos.HandsInput(self, "hands/raw", self._filter, profile)
        if self._as_model and values["follow"]:
            follow(self, self.diagnostics, lambda recipe, _: self._adopt(recipe.smoothing))

    def _use(self, smoothing: Smoothing) -> None:
        self._filter_name = smoothing.name
        self._smoother = Smoother(smoothing)
        self.diagnostics.show("smoothing", self._filter_name or "none")
        self.get_logger().info(f"smoothing: {self._filter_name or 'none'}")

    def _change_model(self, value: str) -> None:
        smoothing = read_metadata(find_checkpoint(value)).recipe.smoothing
        if self._as_model:
            self._adopt(smoothing)

    def _adopt(self, smoothing: Smoothing) -> None:
        """Switch to another filter, which starts in its initial state."""
        if smoothing.name != self._filter_name:
            self._use(smoothing)

    def _filter(self, message: HandFrame, info: Mapping[str, Any]) -> None:
        frame = read_frame(message)
        self.diagnostics.arrived(frame.stamp)
        admission = self._live.admit(info, frame.sequence, frame.stamp)
        if admission.admitted:
            self._follow(frame.sequence, admission is Admission.FIRST)
            self._pass_on(message, frame)

    def _follow(self, sequence: int, first: bool) -> None:
        """Count missed frames; reset the filter at the start of a stream."""
        restart = self._sequence.update(sequence)
        if first or (restart and self._first_sequence):
            self._first_sequence = sequence
        if first or restart:
            self._smoother.reset()
        elif self._sequence.missed:
            self.diagnostics.dropped("frames_missed", count=self._sequence.missed)

    def _pass_on(self, message: HandFrame, frame: Frame) -> None:
        """Filter an admitted frame and publish it."""
        if frame.untrackable:
            self.diagnostics.dropped("joints_not_finite", count=frame.untrackable)
        positions: NDArray[np.float32] | None = frame.positions
        if not message.smoothing:
            positions = self._smoother.push(frame.stamp, frame.positions, frame.confidence)
            message.smoothing = self._filter_name
        if positions is None:
            self.diagnostics.dropped("frames_out_of_order")
            return
        set_hands(message, positions, frame.confidence)
        message.sequence = frame.sequence - self._first_sequence
        self.diagnostics.show("hands_tracked", frame.hands_tracked)
        self._publisher.publish(message)
