# SPDX-License-Identifier: MIT
"""Trials: what is judged as a robot that stands still in time, and how rows tell it."""

from __future__ import annotations

import math
import random
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from reliability import driving_table, trials
from reliability.driving_table import DrivingRow, line, table
from reliability.live import BrokenError
from reliability.robot import Robot, Velocity
from reliability.trials import (
    DrivingScenario,
    Effort,
    Trials,
    UnderFault,
    described,
    evidence_trials,
    stop_trials,
)


class Staged:
    """A graph with a clock of its own, whose robot obeys STOP after a while and faults too."""

    def __init__(self, monkeypatch, obeys=0.2, notices=0.6, recovers=1.5):
        self.clock = 100.0
        self.obeys, self.notices, self.recovers = obeys, notices, recovers
        self.robot = Robot(timeout=math.inf)
        self.random = random.Random(0)
        self.signed = []
        monkeypatch.setattr(trials, "monotonic", lambda: self.clock)

    def drive(self):
        self.clock += self.recovers
        self.robot.commands.append(Velocity(self.clock, 0.2, 0.0))
        return self.recovers

    def _stop(self, seconds):
        if math.isfinite(seconds):
            self.robot.commands.append(Velocity(self.clock + seconds, 0.0, 0.0))

    def sign(self, gloss):
        self.signed.append(gloss)
        self.clock += 1.0
        self._stop(self.obeys)
        return SimpleNamespace(start=self.clock - 1.0, end=self.clock)

    def watch(self, seconds):
        self.clock += max(0.0, seconds)
        return self.clock

    def halt(self):
        self._stop(0.0)

    @contextmanager
    def fault(self):
        begin = self.clock
        self._stop(self.notices)
        yield begin


def test_stops_in_time_pass(monkeypatch):
    graph = Staged(monkeypatch, notices=math.inf)
    found = stop_trials([UnderFault(graph.fault)], graph, Effort(stops=4))
    assert found.seconds == pytest.approx([0.2] * 4)
    assert (found.passed, found.faults) == (4, [])
    assert graph.signed == ["STOP"] * 4


def test_a_late_stop_fails_and_some_of_them_end_the_row(monkeypatch):
    graph = Staged(monkeypatch, obeys=1.2, notices=math.inf)
    found = stop_trials([UnderFault(graph.fault)], graph, Effort(stops=20))
    assert (found.passed, len(found.seconds)) == (0, trials.ACCEPTED_FAILURES)
    assert found.faults == ["STOP: 1.2 s"] * trials.ACCEPTED_FAILURES


def test_evidence_is_judged_where_the_fault_takes_it(monkeypatch):
    late = Staged(monkeypatch, notices=math.inf, obeys=0.0)
    found = stop_trials([UnderFault(late.fault, evidence=True, lag=0.1)], late, Effort(stops=1))
    assert found.faults == ["missing evidence: 1.1 s"]
    assert found.passed == 0


def test_lost_evidence_must_stop_the_robot(monkeypatch):
    graph = Staged(monkeypatch)
    found = evidence_trials(graph.fault, graph, Effort(evidence=2))
    assert found.seconds == pytest.approx([0.6, 0.6])
    assert found.passed == 2
    graph = Staged(monkeypatch, notices=1.1)
    assert evidence_trials(graph.fault, graph, Effort(evidence=1)).faults == [
        "missing evidence: 1.1 s"
    ]
    graph = Staged(monkeypatch, notices=math.inf)
    assert evidence_trials(graph.fault, graph, Effort(evidence=1)).faults == [
        "missing evidence: never"
    ]


def test_a_new_sign_must_drive_again_soon(monkeypatch):
    graph = Staged(monkeypatch, recovers=5.0)
    found = evidence_trials(graph.fault, graph, Effort(evidence=1))
    assert found.faults == ["a new GO drives only 5.5 s after the fault"]


def _row(*faults, seconds=(0.5, 0.7)):
    found = Trials(list(seconds), list(faults), len(seconds) - bool(faults))
    return DrivingRow(DrivingScenario("a fault", "a promise", lambda graph: found), found)


def test_rows_tell_the_worst_trial_and_what_was_not_kept():
    assert line(_row()) == "| a fault | a promise | guarantee holds | 0.70 s | 2 of 2 |"
    broken = _row("STOP: never", seconds=(0.5, math.inf))
    text = "| a fault | a promise | GUARANTEE BROKEN: STOP: never | never | 1 of 2 |"
    assert line(broken) == text
    assert (_row().broken, broken.broken) == (False, True)
    assert described(Trials(notes=["not run: why"])) == "not run: why"


def test_a_few_rows_played_again_leave_the_others_as_they_are():
    before = [*table([_row()]), "| other | b | c | d | e |"]
    again = table([_row("STOP: never")], before)
    assert again[2:] == [line(_row("STOP: never")), before[3]]


def test_a_scenario_that_breaks_leaves_the_graph_whole():
    def breaks(graph, effort):
        raise BrokenError("it fell")

    mended = []
    graph = SimpleNamespace(recover=lambda: mended.append(True))
    row = driving_table._row(DrivingScenario("a", "b", breaks), graph, Effort())
    assert (row.trials.faults, row.broken, mended) == (["it fell"], True, [True])
