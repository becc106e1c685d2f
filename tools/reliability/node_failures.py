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
OVERFLOW = 12.0  # seconds; longer than all queues can cover
STALLED = "reliability.stalled"

# Downstream node: its report shows that frames pass through a node again.
LISTENERS = {"smoothing_node": "preprocessing_node", "preprocessing_node": "recognition_node"}


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
                f"`{node}` gets no CPU time for {HELD_UP:g} s (SIGSTOP, SIGCONT)",
                "nothing is lost",
                partial(_held_up, node),
            )
            for node in GRAPH
        ),
        Scenario(
            f"`recognition_node` gets no CPU time for {OVERFLOW:g} s: queues overflow",
            "steps beyond the queue depth are lost and counted",
            _overflown,
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


def _held_up(node: str, graph: LiveGraph) -> Outcome:
    def fault() -> str:
        with graph.stopped(node):
            graph.spin(HELD_UP)
        return "the queues held all frames"

    return survive(graph, fault, all_kept=True)


def _overflown(graph: LiveGraph) -> Outcome:
    before = graph.drops()

    def fault() -> str:
        with graph.stopped("recognition_node"):
            graph.spin(OVERFLOW)
        return "the queues dropped the oldest steps"

    outcome = survive(graph, fault)
    graph.spin(1.0)  # until it has reported
    lost = new_drops(graph, before, "recognition_node", "steps_missed")
    if not lost:
        raise BrokenError("queues overflowed and nothing was counted")
    return Outcome(f"{outcome.happened}: {lost} counted", outcome.again, outcome.lost)


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
