# SPDX-License-Identifier: MIT
"""Every catchable signal to every process of a graph that drives."""

import os
import signal
from collections.abc import Mapping, Sequence
from functools import partial
from time import monotonic, sleep

from reliability.driving import STILL, WATCH, DrivingGraph
from reliability.starvation import ended, suspended
from reliability.trials import STOP_LIMIT, DrivingScenario, Effort, Trials, late

# Signals of a crash, after which Python runs no more code: the base's time-out acts.
CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE})
HARMLESS = frozenset({signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT})
QUICK = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def catchable() -> list[signal.Signals]:
    """Return every signal that a process can catch."""
    return [each for each in signal.Signals if each not in (signal.SIGKILL, signal.SIGSTOP)]


def signal_scenarios(processes: Mapping[str, str], effort: Effort) -> list[DrivingScenario]:
    """Return a scenario for each process, given by words and executable."""
    numbers = QUICK if effort.quick else catchable()
    stop = f"its stop arrives within {STOP_LIMIT:g} s, after a crash the base's time-out acts; "
    return [
        DrivingScenario(
            f"{'every catchable signal' if not effort.quick else 'some signals'} to {words}",
            (stop if executable == "command_node" else "")
            + f"still within {STILL:g} s if it ends or stands still, else STOP works",
            partial(_signalled, executable, numbers),
        )
        for words, executable in processes.items()
    ]


def _signalled(
    executable: str, numbers: Sequence[signal.Signals], graph: DrivingGraph, _: Effort
) -> Trials:
    trials = Trials()
    endings = 0
    for number in numbers:
        graph.hold()
        pid = graph.children.pids[executable]
        begin = monotonic()
        os.kill(pid, number)
        sleep(STILL + WATCH)  # without a look at the processes: one may have ended
        graph.read()
        if ended(pid):
            endings += 1
            trials.add(*_judged(graph, executable, number, begin))
            graph.children.end(executable)
            graph.start(executable)
            graph.ready(executable)
        elif suspended(pid):
            trials.add(*_judged(graph, "", number, begin))
            os.kill(pid, signal.SIGCONT)
            graph.halt()
        else:
            _judge_ignored(trials, graph, number)
    trials.notes.append(f"{endings} of {len(numbers)} signals ended it")
    graph.halt()
    return trials


def _judge_ignored(trials: Trials, graph: DrivingGraph, number: signal.Signals) -> None:
    """Add the trial of a signal that a process ignored: GO is still held, or STOP works."""
    if number in HARMLESS and graph.moves:
        trials.add(0.0)
        return
    stop = graph.sign("STOP")
    until = graph.watch(stop.end + STILL + WATCH - monotonic())
    trials.judge(f"STOP after {number.name}", graph.robot, stop.end, until)


def _judged(
    graph: DrivingGraph, executable: str, number: signal.Signals, begin: float
) -> tuple[float, str, str]:
    """Return the seconds from a signal to standstill, and what is wrong with them."""
    seconds = graph.robot.still_from(begin, monotonic()) - begin
    zero = ""
    if executable == "command_node" and number not in CRASHES:
        taken = graph.robot.first_zero(begin) - begin
        zero = late(f"the stop after {number.name}", taken, STOP_LIMIT)
    return seconds, late(number.name, seconds), zero
