# SPDX-License-Identifier: MIT
"""Faults of the live graph: what is judged a kept promise, and the quickest ones for real."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from reliability import faults, scenario
from reliability.faults import Row, line, main, play, table
from reliability.live import BrokenError
from reliability.scenario import Outcome, Scenario, survive
from whispersign_ros.graph.monitor import GraphTimeoutError, TimedGloss

SECOND = 10**9


class Staged:
    """A graph with a clock of its own: each step of ``survive`` takes a second."""

    def __init__(self, monkeypatch, again=1.0, missing=()):
        self.clock = 0.0
        self.missing = missing
        self.seconds = again
        self.made: list[TimedGloss] = []
        monkeypatch.setattr(scenario.time, "monotonic", lambda: self.clock)

    def _sign(self, gloss):
        self.clock += 1.0
        self.made.append(TimedGloss(gloss, 0, SECOND // 2, self.clock))

    def source(self):
        return SimpleNamespace(signed=self.made)

    def mid_sign(self):
        self._sign("BEFORE")
        self.clock += 0.1

    def fault(self):
        self._sign("DURING")
        self.clock += 0.1
        return "it happened"

    def again(self):
        self._sign("SOON")
        self.clock += scenario.WITHIN
        self._sign("AFTER")
        return self.seconds

    def unrecognised(self, since):
        return [sign for sign in self.made if sign.arrival >= since and sign.gloss in self.missing]

    def until(self, condition, what, limit):
        if not condition():
            raise GraphTimeoutError("graph", what)


def test_signs_made_meanwhile_may_be_lost_where_that_is_not_promised(monkeypatch):
    graph = Staged(monkeypatch, missing=("DURING",))
    assert survive(graph, graph.fault) == Outcome(
        "it happened", 1.0, "1 of 1 signs during the fault"
    )


def test_signs_made_meanwhile_must_be_there_where_that_is_promised(monkeypatch):
    graph = Staged(monkeypatch, missing=("DURING",))
    with pytest.raises(BrokenError, match="1 of 1 signs lost"):
        survive(graph, graph.fault, all_kept=True)
    whole = Staged(monkeypatch)
    assert survive(whole, whole.fault, all_kept=True).lost == "nothing"


@pytest.mark.parametrize("gloss", ["BEFORE", "AFTER"])
def test_signs_before_and_after_are_never_lost(monkeypatch, gloss):
    graph = Staged(monkeypatch, missing=(gloss,))
    with pytest.raises(BrokenError, match=f"lost before or after it: {gloss}"):
        survive(graph, graph.fault)


def test_a_sign_begun_right_after_recovery_may_be_lost(monkeypatch):
    graph = Staged(monkeypatch, missing=("SOON",))
    assert survive(graph, graph.fault, all_kept=True).lost == "nothing"


def test_recognition_that_comes_too_late_is_told(monkeypatch):
    graph = Staged(monkeypatch, again=2.5)
    with pytest.raises(BrokenError, match=r"recovered only after 2\.5 s"):
        survive(graph, graph.fault)


def _row(broken=""):
    outcome = None if broken else Outcome("went on", 0.71, "nothing")
    return Row(Scenario("a fault", "a promise", lambda graph: outcome), outcome, broken)


def test_rows_tell_what_was_kept_and_what_was_not():
    assert line(_row()) == "| a fault | a promise | went on | 0.7 s | nothing |"
    assert line(_row("it fell")) == "| a fault | a promise | GUARANTEE BROKEN: it fell | | |"
    assert len(table([_row()])) == 3


def test_a_few_rows_played_again_leave_the_others_as_they_are(monkeypatch, tmp_path):
    document = tmp_path / "R.md"
    others = ["| first | a | b | c | d |", "| a fault | a promise | old | | |", "| last | | | | |"]
    document.write_text("\n".join(["<!-- faults -->", "", *others, "", "<!-- /faults -->"]))
    monkeypatch.setattr(faults, "play", lambda *_: iter([_row()]))
    monkeypatch.setattr(faults, "play_driving", lambda *_: iter(()))
    assert main(["fault", "--write", str(document)]) == 0
    rows = [each for each in document.read_text().splitlines() if each.startswith("| ")]
    assert rows[1:] == [others[0], line(_row()), others[2]]


@pytest.mark.parametrize(("broken", "code"), [("", 0), ("it fell", 1)])
def test_the_exit_code_says_whether_all_is_as_promised(monkeypatch, tmp_path, broken, code):
    monkeypatch.setattr(faults, "play", lambda *_: iter([_row(), _row(broken)]))
    monkeypatch.setattr(faults, "play_driving", lambda *_: iter(()))
    document = tmp_path / "R.md"
    document.write_text("<!-- faults -->\n<!-- /faults -->\n")
    assert main(["--write", str(document)]) == code
    assert line(_row(broken)) in document.read_text()


def test_a_scenario_that_breaks_leaves_the_graph_whole():
    def breaks(graph):
        raise BrokenError("it fell")

    mended = []
    graph = SimpleNamespace(recover=lambda: mended.append(True))
    row = faults._row(Scenario("a", "b", breaks), graph)
    assert (row.outcome, row.broken, mended) == (None, "it fell", [True])


@pytest.mark.graph
@pytest.mark.slow
def test_a_killed_node_and_a_mistyped_publisher_for_real(monkeypatch):
    """The graph of the bundled network; how long it takes is for ``make faults`` to judge."""
    monkeypatch.setattr(scenario, "WITHIN", 300.0)
    monkeypatch.setattr(scenario, "LAST_GLOSSES", 120.0)
    rows = list(play(["kill -9 of `preprocessing_node`", "std_msgs/String"]))
    assert [row.broken for row in rows] == ["", ""]
    assert rows[0].outcome.lost == "nothing"
