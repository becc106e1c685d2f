# SPDX-License-Identifier: MIT
"""``recognition_node`` whose network computes NaN while its folder holds the file ``FLAG``."""

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import yaml
from diagnostic_msgs.msg import DiagnosticStatus

from reliability.driving import STILL, DrivingGraph, driving_graph, stages
from reliability.trials import DrivingScenario, Effort, Trials, UnderFault, stop_trials
from whispersign_model.runtime.onnx_backend import OnnxBackend
from whispersign_ros.graph.monitor import Report
from whispersign_ros.node.runner import main

PROCESS = "reliability.failing_network"
NODE = "recognition_node"
SAID = "not a number"
FLAG = "failing"


def scenario(model: Path, commands: Path, folder: Path) -> DrivingScenario:
    """Return the scenario, which starts its own graph."""
    return DrivingScenario(
        "the network's numbers become NaN while GO is held",
        f"STOP: still within {STILL:g} s of its last frame; `{NODE}` reports an ERROR",
        lambda _, effort: _fails(model, commands, folder, effort),
    )


def _fails(model: Path, commands: Path, folder: Path, effort: Effort) -> Trials:
    with driving_graph(model, folder, stages(model, commands, {NODE: PROCESS})) as graph:
        errors: list[float] = []
        graph.monitor.subscribe("/diagnostics", lambda _: errors.extend(_error(graph)))
        reported = []
        graph.begin()

        @contextmanager
        def fail() -> Iterator[float]:
            begin = monotonic()
            (model / FLAG).touch()
            try:
                yield begin
            finally:
                (model / FLAG).unlink()
                reported.append(any(error > begin for error in errors))

        trials = stop_trials([UnderFault(fail)], graph, replace(effort, stops=effort.evidence))
    if not all(reported):
        trials.faults.append(f"an ERROR in {sum(reported)} of {len(reported)} trials")
    return trials


def _error(graph: DrivingGraph) -> Sequence[float]:
    """Return when the node reported the error, if its last report does."""
    report = graph.monitor.reports.get(NODE, Report())
    error = report.level == ord(DiagnosticStatus.ERROR) and SAID in report.message
    return [report.arrival] if error else []


def break_networks(flag: Path) -> None:
    """Spoil what networks compute while a file exists, as damaged memory would."""
    run = OnnxBackend._run

    def spoiled(backend: OnnxBackend, outputs: list[str], patches: Any, state: Any) -> Any:
        return run(backend, outputs, patches * math.nan if flag.exists() else patches, state)

    OnnxBackend._run = spoiled  # type: ignore[assignment,method-assign]


if __name__ == "__main__":
    parameters = yaml.safe_load(Path(sys.argv[-1]).read_text())["/**"]["ros__parameters"]
    break_networks(Path(parameters["model"]) / FLAG)
    raise SystemExit(main(NODE))
