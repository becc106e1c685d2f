# SPDX-License-Identifier: MIT
"""Signals to the launch of a graph that drives."""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

from reliability.driving import STILL, WATCH, driving_graph
from reliability.starvation import ended
from reliability.trials import DrivingScenario, Effort, Trials, late

LAUNCHED = "reliability.launched"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL)
QUICK = (signal.SIGKILL,)
ENDING = 10.0  # seconds after which none of the launch's nodes may run


def scenarios(model: Path, commands: Path, folder: Path, effort: Effort) -> list[DrivingScenario]:
    """Return a scenario for each signal; each starts its own graph in ``folder``."""
    return [
        DrivingScenario(
            f"{number.name} to the launch",
            f"still within {STILL:g} s; no node is left after {ENDING:g} s",
            partial(_signalled, number, model, commands, folder / number.name),
        )
        for number in (QUICK if effort.quick else SIGNALS)
    ]


def _signalled(
    number: signal.Signals, model: Path, commands: Path, folder: Path, *_: object
) -> Trials:
    if not all(find_spec(name) for name in ("launch", "launch_ros")):
        return Trials(notes=["not run: the launch packages cannot be imported"])
    nodes = {LAUNCHED: {"model": str(model), "commands_file": str(commands)}}
    trials = Trials()
    with driving_graph(model, folder, nodes) as graph:
        graph.begin()
        graph.drive()
        pid = graph.children.pids[LAUNCHED]
        nodes_left = descendants(pid)
        begin = monotonic()
        os.kill(pid, number)
        try:
            sleep(STILL + WATCH)
            graph.read()
            seconds = graph.robot.still_from(begin, monotonic()) - begin
            while (left := [each for each in nodes_left if not ended(each)]) and (
                monotonic() - begin < ENDING
            ):
                sleep(WATCH)
        finally:
            for each in nodes_left:
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
            graph.children.end(LAUNCHED)
        trials.add(
            seconds,
            late("the signal", seconds),
            f"{len(left)} of {len(nodes_left)} nodes left" if left else "",
        )
    return trials


def descendants(pid: int) -> Sequence[int]:
    """Return the ids of the processes that a process has started, and of theirs."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
    found: list[int] = []
    level = [pid]
    while level:
        level = [child for child, parent in parents.items() if parent in level]
        found += level
    return found
