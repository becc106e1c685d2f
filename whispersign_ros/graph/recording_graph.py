# SPDX-License-Identifier: MIT
"""Run a recording session: the sensor in a child process, annotation_node in this process."""

import os
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter

from whispersign_model.errors import ConfigError
from whispersign_model.synthesis.lexicon import default_lexicon
from whispersign_ros.graph.child_processes import Children
from whispersign_ros.node.discovery import isolate, range_variables
from whispersign_ros.node.runner import initialize, translate_ros_errors
from whispersign_ros.nodes.annotation_node import AnnotationNode
from whispersign_ros.recording.prompt_plan import glosses_of, split_glosses

EXIT_MISSING = 1
POLL_PERIOD = 0.1  # seconds between two checks of the sensor's process


def record(
    source: str,
    signer: str,
    session: dict[str, Any],
    sensor: dict[str, Any],
    seed: int = 0,
    domain: int | None = None,
    verbose: bool = False,
) -> int:
    """Run a session; return 0 if all takes are recorded, else 1.

    Args:
        source: leap, camera, synthetic, or none to use a sensor node that already runs.
        signer: name of the signer; with source synthetic, "" derives it from the seed.
        session: parameters of annotation_node except the signer.
        sensor: parameters of the sensor node.
        seed: seed of the synthetic signer.
        domain: ROS domain id; None chooses a free one, or the environment's with source none.
        verbose: show the nodes' logs.

    Raises:
        WhisperSignError: an option is invalid, or the sensor node failed.
    """
    glosses = [gloss for word in session["glosses"] for gloss in split_glosses(word)]
    if source == "synthetic":
        signer = signer or f"synthetic{seed}"
        sensor = sensor | {"prompted": True, "seed": seed}
        for prompt in glosses:
            for gloss in glosses_of(prompt):
                default_lexicon().sign(gloss)
    elif not signer:
        raise ConfigError(
            "--signer", "is missing", "name the signer; data sets are split by signer"
        )
    if source != "none" or domain is not None:
        isolate(os.environ, domain)
    os.environ.update(range_variables(os.environ))
    with Children(verbose) as children:
        if source != "none":
            children.start(f"{source}_node", sensor)
        return _run_session(children, session | {"signer": signer, "glosses": glosses}, verbose)


def _run_session(children: Children, parameters: dict[str, Any], verbose: bool) -> int:
    """Run the session in this process until it ends or is interrupted."""
    quiet = [] if verbose else ["--ros-args", "--disable-stdout-logs"]
    initialize(quiet)
    ended: list[bool] = []
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    try:
        with translate_ros_errors():
            node = AnnotationNode(lambda: ended.append(True), parameter_overrides=overrides)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        try:
            while not ended:
                children.check()
                executor.spin_once(timeout_sec=POLL_PERIOD)
        except KeyboardInterrupt:
            node.stop()
        finally:
            executor.shutdown()
            node.destroy_node()
    finally:
        rclpy.shutdown()
    return EXIT_MISSING if node.plan.missing else 0
