"""Executable ``pipeline``: the whole graph in one process, from the same parameter files."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from whispersign_ros.node.parameters import ParameterSpec, declare
from whispersign_ros.nodes import (
    camera_node,
    leap_node,
    preprocessing_node,
    recognition_node,
    replay_node,
    smoothing_node,
    synthetic_node,
)

SOURCES = {
    "camera": (camera_node.CameraNode, camera_node.PARAMETERS),
    "leap": (leap_node.LeapNode, leap_node.PARAMETERS),
    "replay": (replay_node.ReplayNode, replay_node.PARAMETERS),
    "synthetic": (synthetic_node.SyntheticNode, synthetic_node.PARAMETERS),
}
PARAMETERS = (ParameterSpec("source", "replay", "source of the hands", choices=tuple(SOURCES)),)
DRAIN_CHECK = 0.2  # seconds between two checks whether every stage is drained


class Stage(Protocol):
    """A node that may still hold unpublished results when its input ends."""

    @property
    def at_rest(self) -> bool:
        """Whether everything is published."""


class Pipeline(Node):
    """Selects the source, and ends the process after its last gloss.

    Args:
        arguments: for ``rclpy.node.Node``.

    Raises:
        ConfigError: a parameter is at fault.
    """

    def __init__(self, also_known: Sequence[str] = (), **arguments: Any) -> None:
        super().__init__(
            "pipeline", automatically_declare_parameters_from_overrides=True, **arguments
        )
        self.source: str = declare(self, PARAMETERS, also_known)["source"]
        self.source_ended = threading.Event()

    def end_when_drained(self, stages: Sequence[Stage], end: Callable[[], None]) -> None:
        """Call ``end`` once the source has ended and every stage has published everything."""

        def check() -> None:
            if self.source_ended.is_set() and all(stage.at_rest for stage in stages):
                end()

        self._timer = self.create_timer(
            DRAIN_CHECK, check, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )


def create(end: Callable[[], None], **arguments: Any) -> list[Node]:
    """Create all nodes, the source last so that the others receive its first frame.

    Args:
        end: ends the process.
        arguments: for every node.

    Raises:
        WhisperSignError: a file or parameter is at fault.
    """
    shared = {"also_known": _all_names(), **arguments}
    pipeline = Pipeline(**shared)
    recognition = recognition_node.RecognitionNode(**shared)
    preprocessing = preprocessing_node.PreprocessingNode(**shared)
    smoothing = smoothing_node.SmoothingNode(**shared)
    pipeline.end_when_drained((preprocessing, recognition), end)
    source, _ = SOURCES[pipeline.source]
    return [
        pipeline,
        recognition,
        preprocessing,
        smoothing,
        source(pipeline.source_ended.set, **shared),
    ]


def _all_names() -> list[str]:
    """Return the names of all parameters; one set without a node's name reaches every node."""
    tables = [
        PARAMETERS,
        recognition_node.PARAMETERS,
        preprocessing_node.PARAMETERS,
        smoothing_node.PARAMETERS,
        *(table for _, table in SOURCES.values()),
    ]
    return [setting.name for table in tables for setting in table]
