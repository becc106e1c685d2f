"""A recording session from the command line: a sensor's node as a process, the session here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from whispersign_model.errors import ConfigError
from whispersign_model.synthesis.lexicon import default_lexicon
from whispersign_ros.graph.child_processes import Children
from whispersign_ros.node.discovery import isolate
from whispersign_ros.node.runner import refusals_told
from whispersign_ros.nodes.annotation_node import AnnotationNode
from whispersign_ros.recording.prompt_plan import glosses_of

EXIT_MISSING = 1
SPIN = 0.1  # seconds between two looks at the sensor's process


@dataclass(frozen=True)
class RecordOptions:
    """What is recorded, and how.

    Attributes:
        source: leap, camera, synthetic, or none where nodes that publish frames run already.
        signer: who signs; "" for one made up from the seed.
        session: parameters of annotation_node besides the signer.
        sensor: parameters of the source's node.
        seed: of the made-up signer.
        domain: ROS domain id; None takes a free one, but with "none" that of the environment.
        verbose: show what the nodes log.
    """

    source: str
    signer: str
    session: dict[str, Any]
    sensor: dict[str, Any]
    seed: int = 0
    domain: int | None = None
    verbose: bool = False


def record(options: RecordOptions) -> int:
    """Lead through a session; return 0 when all takes are there, else 1.

    Raises:
        WhisperSignError: an option is at fault, or the sensor's node failed.
    """
    signer, sensor = options.signer, options.sensor
    if options.source == "synthetic":
        signer = signer or f"synthetic{options.seed}"
        sensor = sensor | {"prompted": True, "seed": options.seed}
        for prompt in options.session["glosses"]:
            for gloss in glosses_of(prompt):
                default_lexicon().sign(gloss)
    elif not signer:
        raise ConfigError("--signer", "is missing", "say who signs: tests go by signer")
    if options.source != "none" or options.domain is not None:
        isolate(os.environ, options.domain)
    with Children(options.verbose) as children:
        if options.source != "none":
            children.start(f"{options.source}_node", sensor)
        return _lead(children, options.session | {"signer": signer}, options.verbose)


def _lead(children: Children, parameters: dict[str, Any], verbose: bool) -> int:
    """Run the session in this process until it ends, or is interrupted."""
    quiet = [] if verbose else ["--ros-args", "--disable-stdout-logs"]
    rclpy.init(args=quiet, signal_handler_options=SignalHandlerOptions.NO)
    ended: list[bool] = []
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    try:
        with refusals_told():
            node = AnnotationNode(lambda: ended.append(True), parameter_overrides=overrides)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        try:
            while not ended:
                children.check()
                executor.spin_once(timeout_sec=SPIN)
        except KeyboardInterrupt:
            node.stop()
        finally:
            executor.shutdown()
            node.destroy_node()
    finally:
        rclpy.shutdown()
    return EXIT_MISSING if node.plan.missing else 0
