# SPDX-License-Identifier: MIT
"""Entry points of the executables; they handle signals before any heavy import.

Importing a node takes about a second. Until then, SIGINT and SIGTERM end the process quietly.
Afterwards, :mod:`whispersign_ros.node.runner` handles signals.
"""

import os
from collections.abc import Callable
from importlib import import_module

from whispersign_model.streams import EXIT_FAULT, finish_output, prepare_output, tell_error
from whispersign_ros.node.signals import handle_signals, ignore_signals

GRAPH = ("recognition_node", "preprocessing_node", "smoothing_node")  # a source waits for these
PLAYBACK = {"max_age": 0.0}  # parameters of these nodes when the source is a recording
RESPAWN_DELAY = 2.0  # seconds until the launch files restart a node that has died


def _entry(module: str) -> Callable[[], int]:
    def main() -> int:
        handle_signals(lambda *_: os._exit(0))
        prepare_output()
        try:
            code = int(import_module("whispersign_ros.node.runner").main(module))
        except Exception as error:  # an import failed: ROS 2 or a system library is missing
            tell_error(module, error)
            code = EXIT_FAULT
        ignore_signals()
        return finish_output(module, code)

    main.__doc__ = f"Run the executable ``{module}`` and return its exit code."
    return main


annotation_node = _entry("annotation_node")
camera_node = _entry("camera_node")
command_node = _entry("command_node")
leap_node = _entry("leap_node")
pipeline = _entry("pipeline")
preprocessing_node = _entry("preprocessing_node")
recognition_node = _entry("recognition_node")
replay_node = _entry("replay_node")
robot_node = _entry("robot_node")
smoothing_node = _entry("smoothing_node")
synthetic_node = _entry("synthetic_node")
visualization_node = _entry("visualization_node")

NODES = tuple(name for name in globals() if name.endswith("_node") or name == "pipeline")
