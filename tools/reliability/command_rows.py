# SPDX-License-Identifier: MIT
"""Faults about driving with other commands files, and with a clock that jumps."""

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from math import inf
from pathlib import Path
from time import monotonic, sleep

from rclpy.node import Node

from reliability.driving import SIGNER, STILL, WATCH, DrivingGraph, driving_graph, stages
from reliability.robot import Robot
from reliability.signer import OFFSET
from reliability.sources import tick
from reliability.trials import STOP_LIMIT, DrivingScenario, Effort, Trials, evidence_trials, late
from whispersign_model.errors import WhisperSignError
from whispersign_model.timestamps import NANOSECONDS

HOUR = 3600 * NANOSECONDS
STALLED = "reliability.stalled"
STOP_TOPICS = [f"stop{number}" for number in range(9)]
ENDING = 2.0  # seconds that command_node may take to end


def scenarios(commands: Mapping[str, Path]) -> list[DrivingScenario]:
    """Return the scenarios for the shared graph; ``commands`` are the commands files."""
    return [
        *(
            DrivingScenario(
                f"{name}; seen by a base without a time-out",
                f"refused at the start, or zero velocity within {STILL:g} s of STOP and within "
                f"{STOP_LIMIT:g} s of SIGTERM",
                partial(_stop_list, commands[file]),
            )
            for name, file in (
                ("the first stop action cannot be serialized (a lone surrogate)", "surrogate"),
                ("a stop action calls a service that is not there", "no_server"),
            )
        ),
        DrivingScenario(
            "`mode: once` on a velocity topic replaces a held GO, then the sensor hangs; seen by a "
            "base without a time-out",
            f"zero velocity within {STILL:g} s",
            partial(_once, commands["once"]),
        ),
        DrivingScenario(
            "SIGTERM to `command_node` with ten stop topics and a listener that hangs",
            f"its stop arrives within {STOP_LIMIT:g} s; it ends within {ENDING:g} s",
            partial(_ten_topics, commands["ten_topics"]),
        ),
    ]


def clock_jump(model: Path, commands: Path, folder: Path) -> DrivingScenario:
    """Return the scenario with a graph of its own that follows ``/clock``."""
    return DrivingScenario(
        "`/clock` jumps an hour ahead or back while GO is held (`use_sim_time`)",
        f"still within {STILL:g} s",
        lambda _, effort: _clock_jump(model, commands, folder, effort),
    )


def _zero(graph: DrivingGraph) -> Robot:
    """Return the robot as a base without a time-out."""
    return Robot(inf, graph.robot.commands)


def _stop_list(file: Path, graph: DrivingGraph, effort: Effort) -> Trials:
    trials = Trials()
    try:
        graph.restart("command_node", commands_file=str(file))
    except WhisperSignError as error:
        graph.restart("command_node")
        trials.add(0.0, "" if f"{file}:" in str(error) else f"refused without a line: {error}")
        trials.notes.append("refused at the start")
        return trials
    for _ in range(effort.evidence):
        graph.drive()
        stop = graph.sign("STOP")
        until = graph.watch(stop.end + STILL + WATCH - monotonic())
        trials.judge("STOP", _zero(graph), stop.end, until)
    graph.drive()
    begin = monotonic()
    graph.children.end("command_node")
    graph.watch(WATCH)
    taken = graph.robot.first_zero(begin) - begin
    trials.add(taken, late("SIGTERM", taken, STOP_LIMIT))
    graph.restart("command_node")
    graph.halt()
    return trials


def _once(file: Path, graph: DrivingGraph, effort: Effort) -> Trials:
    trials = Trials()
    graph.restart("command_node", commands_file=str(file))
    for _ in range(effort.evidence):
        graph.drive()
        hello = graph.sign("HELLO")
        graph.watch(hello.end + STILL - monotonic())
        begin = monotonic()
        with graph.stopped(SIGNER):
            until = graph.watch(STILL + WATCH)
        trials.judge("missing evidence", _zero(graph), begin, until)
    graph.restart("command_node")
    graph.halt()
    return trials


def _ten_topics(file: Path, graph: DrivingGraph, effort: Effort) -> Trials:
    trials = Trials()
    graph.restart("command_node", commands_file=str(file))
    graph.children.start(STALLED, {"topics": STOP_TOPICS})
    try:
        graph.until(lambda: "listens" in graph.children.log(STALLED), "the listener")
        graph.drive()
        with graph.stopped(STALLED):
            begin = monotonic()
            graph.children.end("command_node", signal.SIGTERM)
            took = monotonic() - begin
            sleep(WATCH)
        graph.read()
        taken = graph.robot.first_zero(begin) - begin
        trials.add(taken, late("its stop", taken, STOP_LIMIT), late("its end", took, ENDING))
        trials.notes.append(f"ended after {took:.1f} s")
    finally:
        graph.children.end(STALLED)
        graph.start("command_node")
        graph.ready("command_node")
    return trials


def _clock_jump(model: Path, commands: Path, folder: Path, effort: Effort) -> Trials:
    nodes = stages(model, commands, use_sim_time=True)
    with driving_graph(model, folder, nodes) as graph:
        ticking = threading.Event()
        node = Node("clock")
        thread = threading.Thread(target=tick, args=(node, graph, ticking), daemon=True)
        thread.start()

        @contextmanager
        def jump() -> Iterator[float]:
            graph.offset = HOUR - graph.offset
            graph.ask(f"{OFFSET} {graph.offset}")
            yield monotonic()

        try:
            graph.begin()
            return evidence_trials(jump, graph, effort)
        finally:
            ticking.set()
            thread.join()
            node.destroy_node()
