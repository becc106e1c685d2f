"""Executable ``pipeline``: the whole graph in one process, from the same parameter files."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from whispersign_ros.node.parameters import ParameterSpec, declare
from whispersign_ros.node.runner import run
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
REST_CHECK = 0.2  # seconds between two looks whether everything has come out


class Stage(Protocol):
    """A node that may still have something to say when its input has ended."""

    @property
    def at_rest(self) -> bool:
        """Everything is published."""


class Pipeline(Node):
    """Chooses the source, and ends the process when its last gloss is out.

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

    def end_at_rest(self, stages: Sequence[Stage], end: Callable[[], None]) -> None:
        """Call ``end`` once the source has ended and no stage has anything left to say."""

        def check() -> None:
            if self.source_ended.is_set() and all(stage.at_rest for stage in stages):
                end()

        self._timer = self.create_timer(
            REST_CHECK, check, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )


def create(end: Callable[[], None], **arguments: Any) -> list[Node]:
    """Make all nodes, the source last so that nothing it sends is lost.

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
    pipeline.end_at_rest((preprocessing, recognition), end)
    source, _ = SOURCES[pipeline.source]
    return [
        pipeline,
        recognition,
        preprocessing,
        smoothing,
        source(pipeline.source_ended.set, **shared),
    ]


def _all_names() -> list[str]:
    """Names of all parameters: given to the process without a node's name, all nodes see them."""
    tables = [
        PARAMETERS,
        recognition_node.PARAMETERS,
        preprocessing_node.PARAMETERS,
        smoothing_node.PARAMETERS,
        *(table for _, table in SOURCES.values()),
    ]
    return [setting.name for table in tables for setting in table]


def main() -> int:
    """Run the executable ``pipeline``."""
    return run("pipeline", create, __doc__ or "", PARAMETERS)


if __name__ == "__main__":
    raise SystemExit(main())
