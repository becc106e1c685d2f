# SPDX-License-Identifier: MIT
"""Executable ``pipeline``: runs the whole graph in one process."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from whispersign_ros.node.live_gate import playback
from whispersign_ros.node.parameters import ParameterSpec, declare
from whispersign_ros.nodes import camera_node, leap_node, replay_node, synthetic_node
from whispersign_ros.nodes import preprocessing_node as preprocessing
from whispersign_ros.nodes import recognition_node as recognition
from whispersign_ros.nodes import smoothing_node as smoothing

SOURCES = {
    "camera": (camera_node.CameraNode, camera_node.PARAMETERS),
    "leap": (leap_node.LeapNode, leap_node.PARAMETERS),
    "replay": (replay_node.ReplayNode, replay_node.PARAMETERS),
    "synthetic": (synthetic_node.SyntheticNode, synthetic_node.PARAMETERS),
}
PARAMETERS = (ParameterSpec("source", "replay", "source of hand frames", choices=tuple(SOURCES)),)
Table = Sequence[ParameterSpec]
DRAIN_CHECK = 0.2  # seconds between two checks that every stage is drained


class Stage(Protocol):
    """A node that may still hold unpublished results when its input ends."""

    @property
    def at_rest(self) -> bool:
        """Whether all results have been published."""


class Pipeline(Node):
    """Selects the source, and ends the process after the last gloss.

    Args:
        also_known: names of parameters that other nodes in the process declare.
        arguments: passed to ``rclpy.node.Node``.

    Raises:
        ConfigError: a parameter is invalid.
    """

    def __init__(self, also_known: Sequence[str] = (), **arguments: Any) -> None:
        super().__init__(
            "pipeline", automatically_declare_parameters_from_overrides=True, **arguments
        )
        self.source: str = declare(self, PARAMETERS, also_known)["source"]
        self.source_ended = threading.Event()

    def end_when_drained(self, stages: Sequence[Stage], end: Callable[[], None]) -> None:
        """Call ``end`` once the source has ended and every stage has published its results."""

        def check() -> None:
            if self.source_ended.is_set() and all(stage.at_rest for stage in stages):
                end()

        self._timer = self.create_timer(
            DRAIN_CHECK, check, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )


def create(end: Callable[[], None], **arguments: Any) -> list[Node]:
    """Create all nodes, the source last so that the others receive its first frame.

    With ``source: replay`` the stages lose nothing unless ``max_age`` says otherwise.

    Args:
        end: ends the process.
        arguments: passed to every node.

    Raises:
        WhisperSignError: a file or parameter is invalid.
    """
    stages: list[Table] = [recognition.PARAMETERS, preprocessing.PARAMETERS, smoothing.PARAMETERS]
    tables = [PARAMETERS, *stages, *(table for _, table in SOURCES.values())]
    # ROS passes a parameter without a node name to every node.
    shared = {"also_known": [spec.name for table in tables for spec in table], **arguments}
    pipeline = Pipeline(**shared)
    if pipeline.source == "replay":
        stages = [playback(table) for table in stages]
    recogniser = recognition.RecognitionNode(table=stages[0], **shared)
    preprocessor = preprocessing.PreprocessingNode(table=stages[1], **shared)
    smoother = smoothing.SmoothingNode(table=stages[2], **shared)
    pipeline.end_when_drained((preprocessor, recogniser), end)
    source = SOURCES[pipeline.source][0](pipeline.source_ended.set, **shared)
    return [pipeline, recogniser, preprocessor, smoother, source]
