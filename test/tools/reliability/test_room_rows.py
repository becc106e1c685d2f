# SPDX-License-Identifier: MIT
"""The scenarios of a room: what is shown to the graph, and what is judged a broken promise."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from reliability import room_rows
from reliability.commands_files import COMMANDED, every_sign
from reliability.faults import play
from reliability.live import BrokenError
from reliability.room_rows import (
    NOISE,
    PREPROCESSING,
    TOO_FEW,
    check_glosses,
    check_rest,
    every,
    glosses_during,
    resting,
    show,
    too_old,
)
from reliability.scenario import Outcome
from whispersign_model.benchmarks.room import SETTLED
from whispersign_model.recordings.recording import Recording, Segment
from whispersign_model.synthesis.signer import Signer
from whispersign_ros.commands.commands_file import read_commands
from whispersign_ros.graph.monitor import Report, TimedGloss
from whispersign_ros.node.assets import DEMO_MODEL

SECOND = 10**9


def _recording(*segments, seconds=20):
    return Recording(
        np.arange(seconds + 1) * SECOND,
        np.zeros((seconds + 1, 42, 3), np.float32),
        np.zeros((seconds + 1, 42), np.float32),
        segments,
    )


def _gloss(gloss, second):
    return TimedGloss(gloss, round(second * SECOND), round((second + 0.5) * SECOND), 0.0)


def _graph(*finals):
    return SimpleNamespace(monitor=SimpleNamespace(finals=list(finals)))


@pytest.fixture(scope="module")
def take():
    return Signer(5).sign_sentence(["GO"], lead=0.6, tail=1.0)


def test_a_resting_hand_comes_keeps_still_and_leaves(take):
    hand = resting(take, np.random.default_rng(0), seconds=4.0)
    (rest,) = hand.segments
    there = hand.confidence.any(axis=1)
    still = (hand.stamps >= rest.start) & (hand.stamps <= rest.start + 4 * SECOND)
    assert there[still].all()
    seen = hand.positions[still][:, hand.confidence[still][0] > 0]
    assert seen.std(axis=0) == pytest.approx(np.full(seen.shape[1:], NOISE), rel=0.4)
    tracked = hand.stamps[there]
    assert 0 < rest.start - tracked[0] < SECOND
    assert tracked[-1] == rest.end
    assert rest.end - rest.start - 4 * SECOND == pytest.approx(rest.start - tracked[0], abs=5e7)
    assert not there[0]
    assert not there[-1]
    first, last = hand.positions[there][[0, -1]]
    assert np.array_equal(first, last)
    assert np.diff(hand.stamps).max() < SECOND // 20
    assert hand.glosses == ()


def test_a_gloss_of_a_settled_hand_breaks_a_promise():
    visit = _recording(Segment((), 2 * SECOND, 18 * SECOND))
    kept = check_rest(visit, [_gloss("GO", 1), _gloss("GO", 2 + SETTLED)], [1 * SECOND])
    assert kept == "2 glosses, nothing commanded"
    late = [_gloss("GO", 1), _gloss("WAIT", 2.1 + SETTLED)]
    with pytest.raises(BrokenError, match=r"a resting hand made the glosses WAIT$"):
        check_rest(visit, late, [])
    with pytest.raises(BrokenError, match=r"WAIT \(12 frames and steps were too old\)"):
        check_rest(visit, late, [], skipped=12)


def test_only_what_is_too_old_counts_as_skipped():
    drops = {"smoothing_node": {"frames_too_old": 5, "frames_missed": 3}, "other": {}}
    drops["recognition_node"] = {"steps_too_old": 2}
    assert too_old(SimpleNamespace(drops=lambda: drops)) == 7


def test_a_command_of_a_resting_hand_breaks_a_promise():
    visit = _recording(Segment((), 2 * SECOND, 18 * SECOND))
    assert check_rest(visit, [], [1 * SECOND, 21 * SECOND]) == "no glosses, nothing commanded"
    for second in (2, 20):
        with pytest.raises(BrokenError, match="a resting hand gave a command"):
            check_rest(visit, [], [second * SECOND])


def test_each_sign_must_come_exactly_once():
    held = _recording(Segment(("GO",), 2 * SECOND, 9 * SECOND))
    before, after = _gloss("YES", -1), _gloss("NO", 21)
    assert check_glosses(_graph(before, _gloss("GO", 2), after), [held]) == 1
    with pytest.raises(BrokenError, match="signed GO, recognized GO GO"):
        check_glosses(_graph(_gloss("GO", 2), _gloss("GO", 8)), [held])
    with pytest.raises(BrokenError, match="signed GO, recognized nothing"):
        check_glosses(_graph(before, after), [held])


def test_glosses_are_told_in_the_order_of_their_signs():
    late, early = _gloss("TWO", 5), _gloss("ONE", 4)
    assert glosses_during(_graph(late, early), _recording()) == [early, late]


def test_recordings_are_shown_and_come_back_as_captured():
    shown = [_recording(), "a", "b"]
    feed = SimpleNamespace(shown=shown[:1], show=lambda given: feed.shown.extend(shown[1:]))
    waited = []

    def until(condition, what, limit):
        assert condition()
        waited.append(limit)

    graph = SimpleNamespace(source=lambda: feed, until=until, spin=waited.append)
    assert show(graph, [_recording(), _recording()]) == ["a", "b"]
    assert waited == [room_rows.EVENT_LIMIT + 40, room_rows.FINALS]


def test_a_slower_camera_delivers_every_nth_frame():
    frames = [every_third(number) for every_third in [every(3)] for number in range(7)]
    assert frames == [[0], [], [], [3], [], [], [6]]


class Slow:
    """A graph that logs warnings while its camera is slow."""

    def __init__(self, monkeypatch, warnings=1, message=f"5.0 {TOO_FEW}; more light"):
        self.logged, self.warnings = f"earlier: 3.0 {TOO_FEW}\n", warnings
        self.feed = SimpleNamespace(corrupt="healthy")
        self.children = SimpleNamespace(log=lambda node: self.logged)
        self.monitor = SimpleNamespace(reports={PREPROCESSING: Report(1, message)})
        monkeypatch.setattr(room_rows, "survive", lambda _, fault: Outcome(fault(), 1.0, "none"))

    def source(self):
        return self.feed

    def spin(self, seconds):
        assert self.feed.corrupt(0) == [0]
        assert self.feed.corrupt(1) == []
        self.logged += f"5.0 {TOO_FEW}\n" * self.warnings


def test_a_slow_camera_is_told_once(monkeypatch):
    graph = Slow(monkeypatch)
    happened = "`preprocessing_node` warned once"
    assert room_rows._too_slow(graph) == Outcome(happened, 1.0, "none")
    assert graph.feed.corrupt == "healthy"


@pytest.mark.parametrize("warnings", [0, 2])
def test_no_warning_and_a_second_one_break_a_promise(monkeypatch, warnings):
    with pytest.raises(BrokenError, match=f"logged {warnings} warnings"):
        room_rows._too_slow(Slow(monkeypatch, warnings))


def test_diagnostics_must_tell_it_too(monkeypatch):
    with pytest.raises(BrokenError, match="reported 'running'"):
        room_rows._too_slow(Slow(monkeypatch, message="running"))


def test_every_sign_but_stop_is_a_command(tmp_path):
    file = tmp_path / "commands.yaml"
    file.write_text(every_sign(["GO", "NO", "STOP"]))
    commands = read_commands(file).commands
    assert [each.gloss for each in commands.commands] == ["GO", "NO"]
    assert {topic for each in commands.commands for topic in each.topics} == {COMMANDED}
    assert commands.stop.gloss == ["STOP"]
    assert yaml.safe_load(file.read_text())["commands"][1]["publish"]["message"] == {"data": "NO"}


def test_a_hand_is_chosen_whose_coming_is_no_sign(take, monkeypatch):
    loud = Signer(5).sign_sentence(["STOP"], lead=0.6, tail=1.0)
    heard = {len(resting(each, np.random.default_rng(5), SETTLED)): each for each in (loud, take)}
    assert len(heard) == 2
    monkeypatch.setattr(
        room_rows, "Listener", lambda _: lambda hand: ["?"] * (heard[len(hand)] is loud)
    )
    assert room_rows._quiet(DEMO_MODEL, [loud, take]) is take
    with pytest.raises(BrokenError, match="every hand that comes and stops yields a gloss"):
        room_rows._quiet(DEMO_MODEL, [loud])


@pytest.mark.graph
@pytest.mark.slow
def test_held_signs_and_the_next_visitors_for_real():
    """The graph of the bundled network; ``make faults`` shows it more."""
    rows = list(play(["held", "next visitors"]))
    assert [row.broken for row in rows] == ["", ""]
    assert [row.outcome.lost for row in rows] == ["nothing", "nothing"]
