# SPDX-License-Identifier: MIT
"""Scenarios in which nodes die, stall, or lose their model."""

import shutil
import time
from functools import partial
from pathlib import Path

from reliability.live import BrokenError, LiveGraph
from reliability.scenario import Outcome, Scenario, new_drops, survive
from whispersign_model.errors import WhisperSignError
from whispersign_ros.node.entry_points import GRAPH, RESPAWN_DELAY

HELD_UP = 3.0  # seconds
LONG = 12.0  # seconds
MAX_AGE = 0.4  # seconds; the default of the stages
STALLED = "reliability.stalled"

# Downstream node: its report shows that frames pass through a node again.
LISTENERS = {"smoothing_node": "preprocessing_node", "preprocessing_node": "recognition_node"}

# What a node that was held up skips, and the causes under which it counts that.
LOSSES = {
    "smoothing_node": ("frames", "frames_missed", "frames_too_old"),
    "preprocessing_node": ("frames", "frames_missed", "frames_too_old"),
    "recognition_node": ("steps", "steps_missed", "steps_too_old"),
}


def scenarios(model: Path) -> list[Scenario]:
    """Return the scenarios for a graph whose nodes loaded the network from ``model``."""
    return [
        *(
            Scenario(
                f"kill -9 of `{node}`, restarted after {RESPAWN_DELAY:g} s",
                "the other nodes keep running; earlier signs are published"
                if node != "command_node"
                else "recognition is unaffected",
                partial(_killed, node),
            )
            for node in (*GRAPH, "command_node")
        ),
        *(
            Scenario(
                f"`{node}` gets no CPU time for {seconds:g} s (SIGSTOP, SIGCONT)",
                f"{LOSSES[node][0]} older than {MAX_AGE:g} s are skipped and counted; a new stream "
                "begins",
                partial(_held_up, node, seconds),
            )
            for node, seconds in (*((node, HELD_UP) for node in GRAPH), (GRAPH[0], LONG))
        ),
        Scenario(
            "a subscriber to all topics that never reads (SIGSTOP)", "nothing is lost", _stalled
        ),
        Scenario(
            "the network's files are deleted, and later `recognition_node` is killed",
            "recognition keeps running without the files; a start without them fails with a "
            "one-line error and succeeds once they are back",
            partial(_model_deleted, model),
        ),
    ]


def _killed(node: str, graph: LiveGraph) -> Outcome:
    listener = LISTENERS.get(node, node)

    def fault() -> str:
        begin = time.monotonic()
        graph.kill(node)
        graph.spin(RESPAWN_DELAY)
        graph.start(node)
        graph.ready(node)
        graph.receives(listener)
        seconds = time.monotonic() - begin
        return (
            f"the others kept running; `{listener}` received input again {seconds:.1f} s "
            "after the kill"
        )

    return survive(graph, fault, all_kept=node == "command_node")


def _held_up(node: str, seconds: float, graph: LiveGraph) -> Outcome:
    before = graph.drops()

    def fault() -> str:
        with graph.stopped(node):
            graph.spin(seconds)
        return "skipped to the newest"

    outcome = survive(graph, fault)
    graph.spin(1.0)  # until it has reported
    kind, *causes = LOSSES[node]
    lost = sum(new_drops(graph, before, node, cause) for cause in causes)
    if not lost:
        raise BrokenError(f"{node} skipped {kind} and counted none")
    return Outcome(f"{outcome.happened}: {lost} {kind} counted", outcome.again, outcome.lost)


def _stalled(graph: LiveGraph) -> Outcome:
    graph.children.start(STALLED, {})
    graph.until(lambda: "listens" in graph.children.log(STALLED), "the subscriber")

    def fault() -> str:
        with graph.stopped(STALLED):
            graph.spin(8.0)
            graph.again()
        return "the publishers did not wait for it"

    try:
        return survive(graph, fault, all_kept=True)
    finally:
        graph.children.end(STALLED)


def _model_deleted(model: Path, graph: LiveGraph) -> Outcome:
    aside = model.with_name("aside")

    def fault() -> str:
        shutil.move(model, aside)
        graph.spin(1.0)
        graph.again()
        graph.kill("recognition_node")
        graph.start("recognition_node")
        try:
            graph.until(lambda: graph.children.ended("recognition_node"), "the end of a start")
        except WhisperSignError as error:
            said = str(error)
        else:
            raise BrokenError("recognition_node ended well without its model")
        if "exit code 2" not in said or str(model) not in said:
            raise BrokenError(f"recognition_node without its model: {said}")
        shutil.move(aside, model)
        graph.start("recognition_node")
        graph.ready("recognition_node")
        graph.receives("recognition_node")
        return (
            "recognition kept running; the start without the files exited with code 2 and named "
            "the file"
        )

    try:
        return survive(graph, fault)
    finally:
        if aside.exists():
            shutil.move(aside, model)
