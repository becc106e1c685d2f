# SPDX-License-Identifier: MIT
"""The live gate, and what a stage does with old messages and with two sources."""

from __future__ import annotations

import pytest

from whispersign_ros.node.diagnostics import Diagnostics
from whispersign_ros.node.live_gate import MAX_AGE, Admission, LiveGate, LiveInput, playback
from whispersign_ros.node.parameters import ParameterSpec
from whispersign_ros.node.source_guard import SOURCE_AGE

MS = 1_000_000  # nanoseconds
STEP = 16 * MS


def _judge(gate, arrivals):
    """Return what a gate does with messages, given as age and arrival in milliseconds."""
    return [gate.admit(now * MS - age * MS, now * MS).value for age, now in arrivals]


def _live(count, age, begin=1000, step=16):
    return [(age, begin + step * n) for n in range(count)]


def test_a_steady_latency_below_the_limit_passes():
    assert set(_judge(LiveGate(0.4), _live(50, 300))) == {"admitted"}


def test_a_backlog_is_skipped_to_the_newest_message():
    gate = LiveGate(0.4)
    backlog = [(age, 5000) for age in range(3000, 10, -16)]  # all arrive at once
    said = _judge(gate, [*_live(3, 10), *backlog])
    assert said[:3] == ["admitted"] * 3
    assert set(said[3:]) == {"skipped"}  # even those within the limit: newer ones wait
    assert gate.skipping
    after = [(12, 5016), (12, 5032), (12, 5048)]
    assert _judge(gate, after) == ["first", "admitted", "admitted"]
    assert not gate.skipping


def test_a_slow_sensor_passes_again_after_a_hiccup():
    """Its ages stay near the limit; a gate that waits for young messages would shut it out."""
    gate = LiveGate(0.4)
    arrivals = [*_live(3, 350), (700, 1100), *_live(5, 350, begin=1116)]
    said = _judge(gate, arrivals)
    assert said == [*["admitted"] * 3, "skipped", "skipped", "first", *["admitted"] * 3]


@pytest.mark.parametrize(("rate", "latency"), [(8.0, 0.3), (10.0, 0.32), (15.0, 0.35)])
def test_the_steps_of_a_slow_camera_are_one_stream(rate, latency):
    """Steps at 60 Hz come in bursts; only the last one of each is as young as the frame."""
    gate, admissions = LiveGate(0.4), []
    count = round(60 / rate)
    for frame in range(40):
        now = round((100 + frame / rate + latency) * 1000)
        ages = [latency * 1000 + (count - 1 - n) * 1000 / rate / count for n in range(count)]
        admissions += _judge(gate, [(round(age), now) for age in ages])
    assert set(admissions[3 * count :]) == {"admitted"}


def test_a_sensor_that_is_always_too_late_is_never_obeyed():
    assert set(_judge(LiveGate(0.4), _live(50, 450))) == {"skipped"}


def test_a_restart_of_the_clock_ends_a_skip():
    gate = LiveGate(0.4)
    assert gate.admit(5000 * MS, 9000 * MS) is Admission.SKIPPED
    assert gate.admit(100 * MS, 120 * MS) is Admission.FIRST


def test_without_a_limit_every_message_passes():
    assert set(_judge(LiveGate(0.0), [(10**9, 5000), *_live(5, 3000)])) == {"admitted"}


def test_frames_from_the_future_pass():
    assert set(_judge(LiveGate(0.4), _live(5, -60_000))) == {"admitted"}


class Rig:
    """An input whose messages the test makes."""

    def __init__(self, graph, max_age, monkeypatch):
        self.diagnostics = Diagnostics(graph.probe)
        self.steady = 100.0
        monkeypatch.setattr("whispersign_ros.node.source_guard.time.monotonic", lambda: self.steady)
        self.input = LiveInput(graph.probe, "hands/raw", self.diagnostics, max_age, "frames")
        self.now = graph.probe.get_clock().now().nanoseconds

    def admit(self, sequence, age_ms=0, gid=b"A"):
        info = {"publisher_gid": {"data": gid}}
        return self.input.admit(info, sequence, self.now - age_ms * MS)


def test_an_input_counts_what_is_too_old(graph, monkeypatch, capfd):
    rig = Rig(graph, 60.0, monkeypatch)
    assert rig.admit(1) is Admission.ADMITTED
    assert rig.admit(2, age_ms=61_000) is Admission.SKIPPED
    assert rig.admit(3) is Admission.SKIPPED  # came at once: newer ones may wait
    assert rig.admit(4, age_ms=1) is Admission.FIRST
    assert rig.diagnostics.drops == {"frames_too_old": 2}
    assert "frames too old: 61.0 s old, max_age is 60" in capfd.readouterr().err


def test_after_two_sources_a_new_stream_begins(graph, monkeypatch):
    rig = Rig(graph, 0.0, monkeypatch)
    assert rig.admit(1) is Admission.ADMITTED
    assert rig.admit(1, gid=b"B") is Admission.REFUSED
    assert rig.admit(2) is Admission.REFUSED
    rig.steady += SOURCE_AGE
    assert rig.admit(3) is Admission.FIRST
    assert rig.admit(4) is Admission.ADMITTED
    assert rig.diagnostics.drops == {"of_two_sources": 2}


def test_only_admitted_messages_are_processed():
    assert [each for each in Admission if each.admitted] == [Admission.ADMITTED, Admission.FIRST]


def test_playback_changes_this_default_only():
    other = ParameterSpec("speed", 1.0, "metres per second")
    table = playback((MAX_AGE, other))
    assert [(each.name, each.default) for each in table] == [("max_age", 0.0), ("speed", 1.0)]
    assert pytest.approx(0.4) == MAX_AGE.default
