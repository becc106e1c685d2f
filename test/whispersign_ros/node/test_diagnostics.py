# SPDX-License-Identifier: MIT
"""What nodes report on ``/diagnostics``."""

from __future__ import annotations

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from std_msgs.msg import String

from whispersign_msgs.msg import HandFrame
from whispersign_ros.node import diagnostics
from whispersign_ros.node.diagnostics import Diagnostics

TYPE = "whispersign_msgs/msg/HandFrame"


@pytest.fixture
def reports(graph):
    heard = graph.listen(DiagnosticArray, "/diagnostics")
    return lambda: [status for array in heard for status in array.status]


def _values(status):
    return {pair.key: pair.value for pair in status.values}


def _next(graph, reports, subject):
    """Return the report that comes next."""
    graph.heard_from("/diagnostics")
    count = len(reports())
    subject.report()
    graph.until(lambda: len(reports()) > count)
    return reports()[count]


def test_a_node_that_works(graph, reports):
    subject = Diagnostics(graph.probe, "hands/raw", TYPE)
    publisher = graph.probe.create_publisher(HandFrame, "hands/raw", 1)
    graph.until(lambda: graph.probe.count_publishers("hands/raw"))
    subject.arrived(graph.probe.get_clock().now().nanoseconds - 5_000_000)
    subject.timed(0.002)
    subject.timed(0.004)
    subject.show("device", "cpu")
    status = _next(graph, reports, subject)
    assert status.level == DiagnosticStatus.OK
    assert status.name == "/probe"
    values = _values(status)
    assert float(values["input_hz"]) > 0
    assert 5.0 <= float(values["stamp_age_ms"]) < 5000
    assert values["inference_ms_mean"] == "3.000"
    assert values["inference_ms_max"] == "4.000"
    assert values["device"] == "cpu"
    publisher.destroy()


def test_a_node_that_rests_is_well_and_expects_nothing(graph, reports, monkeypatch):
    subject = Diagnostics(graph.probe, "hands/raw", TYPE)
    monkeypatch.setattr(diagnostics, "SILENCE", -1.0)
    subject.rest("nobody looks")
    status = _next(graph, reports, subject)
    assert (status.level, status.message) == (DiagnosticStatus.OK, "nobody looks")
    subject.rest("")
    assert _next(graph, reports, subject).message.startswith("no input on /hands/raw")


def test_a_condition_is_told_unless_the_input_is_refused(graph, reports):
    said = [(DiagnosticStatus.ERROR, "inactive")]
    subject = Diagnostics(graph.probe, condition=lambda: said[0])
    status = _next(graph, reports, subject)
    assert (status.level, status.message) == (DiagnosticStatus.ERROR, "inactive")
    subject.fail("unplugged")
    assert _next(graph, reports, subject).message == "unplugged"
    subject.accept()
    said[0] = None
    assert _next(graph, reports, subject).message == "running"


def test_inputs_good_and_bad_in_turn_do_not_fill_the_log(graph, capfd):
    subject = Diagnostics(graph.probe, "hands/raw", TYPE)
    for _ in range(20):
        subject.refuse("frames in pixels")
        subject.accept()
    subject.refuse("frames in feet")
    said = capfd.readouterr().err
    assert (said.count("frames in pixels"), said.count("frames in feet")) == (1, 1)
    assert subject.drops["refused"] == 21


def test_reports_come_by_themselves(graph, reports):
    Diagnostics(graph.probe)
    graph.until(lambda: len(reports()) >= 2)


def test_no_input_and_why(graph, reports, monkeypatch):
    monkeypatch.setattr(diagnostics, "SILENCE", -1.0)
    subject = Diagnostics(graph.probe, "hands/raw", TYPE)
    status = _next(graph, reports, subject)
    assert status.level == DiagnosticStatus.WARN
    assert status.message == "no input on /hands/raw: it has no publisher"
    graph.probe.create_publisher(String, "hands/raw", 1)
    graph.until(lambda: graph.probe.count_publishers("hands/raw"))
    status = _next(graph, reports, subject)
    assert "sends std_msgs/msg/String, but whispersign_msgs/msg/HandFrame is" in status.message


def test_two_publishers_that_interleave(graph, reports):
    subject = Diagnostics(graph.probe, "hands/raw", TYPE)
    for _ in range(2):
        graph.probe.create_publisher(HandFrame, "hands/raw", 1)
    graph.until(lambda: graph.probe.count_publishers("hands/raw") == 2)
    status = _next(graph, reports, subject)
    assert status.level == DiagnosticStatus.WARN
    assert "2 publishers interleave" in status.message


def test_a_warning_about_the_input_yields_to_errors_and_silence(graph, reports, monkeypatch):
    subject = Diagnostics(graph.probe, "hands/raw", TYPE)
    graph.probe.create_publisher(HandFrame, "hands/raw", 1)
    graph.until(lambda: graph.probe.count_publishers("hands/raw"))
    subject.warn("too slow")
    status = _next(graph, reports, subject)
    assert (status.level, status.message) == (DiagnosticStatus.WARN, "too slow")
    subject.dropped("frames_missed")
    assert _next(graph, reports, subject).message == "too slow; 1 dropped in the last period"
    subject.fail("unplugged")
    assert _next(graph, reports, subject).message == "unplugged"
    subject.accept()
    monkeypatch.setattr(diagnostics, "SILENCE", -1.0)
    assert _next(graph, reports, subject).message == "no input on /hands/raw"
    monkeypatch.undo()
    subject.warn("")
    assert _next(graph, reports, subject).message == "running"


def test_losses_do_not_hide_two_publishers(graph, reports):
    subject = Diagnostics(graph.probe, "hands/raw", TYPE)
    for _ in range(2):
        graph.probe.create_publisher(HandFrame, "hands/raw", 1)
    graph.until(lambda: graph.probe.count_publishers("hands/raw") == 2)
    subject.dropped("frames_missed", count=3)
    status = _next(graph, reports, subject)
    assert status.level == DiagnosticStatus.WARN
    assert status.message == ("2 publishers interleave on /hands/raw; 3 dropped in the last period")


def test_a_fault_that_is_watched_comes_before_all_else(graph, reports):
    said = ["two sources"]
    subject = Diagnostics(graph.probe, condition=lambda: (DiagnosticStatus.OK, "inactive"))
    subject.watch(lambda: said[0])
    subject.fail("unplugged")
    subject.dropped("frames_missed")
    status = _next(graph, reports, subject)
    assert (status.level, status.message) == (DiagnosticStatus.ERROR, "two sources")
    said[0] = ""
    assert _next(graph, reports, subject).message == "unplugged"


def test_input_that_is_too_old_is_a_warning(graph, reports):
    subject = Diagnostics(graph.probe)
    subject.dropped("frames_too_old", lambda: "3 s old", count=7)
    status = _next(graph, reports, subject)
    assert status.level == DiagnosticStatus.WARN
    assert status.message == ("input too old, skipping to the newest: 7 dropped in the last period")


def test_frequent_reports_cover_a_whole_second(graph, reports):
    subject = Diagnostics(graph.probe, period=0.1)
    graph.probe.destroy_timer(subject._timer)  # the test reports
    subject.arrived(0)
    subject.dropped("frames_missed")
    subject.timed(0.002)
    levels = []
    for _ in range(11):
        status = _next(graph, reports, subject)
        levels.append(status.level)
        assert ("inference_ms_mean" in _values(status)) == (status.level == DiagnosticStatus.WARN)
    assert levels == [DiagnosticStatus.WARN] * 10 + [DiagnosticStatus.OK]
    assert _values(status)["input_hz"] == "0.0"


def test_drops_are_counted_and_logged_once_in_a_while(graph, reports, capfd):
    subject = Diagnostics(graph.probe)
    for _ in range(5):
        subject.dropped("frames_out_of_order")
    subject.dropped("joints_not_finite", count=42)
    status = _next(graph, reports, subject)
    assert status.level == DiagnosticStatus.WARN
    assert status.message == "47 dropped in the last period"
    assert _values(status)["dropped_frames_out_of_order"] == "5"
    assert _values(status)["dropped_joints_not_finite"] == "42"
    assert _next(graph, reports, subject).level == DiagnosticStatus.OK
    assert capfd.readouterr().err.count("frames out of order") == 1


def test_a_refusal_is_an_error_until_the_input_is_accepted(graph, reports, capfd):
    subject = Diagnostics(graph.probe)
    for _ in range(5):
        subject.refuse("of another recipe")
    status = _next(graph, reports, subject)
    assert (status.level, status.message) == (DiagnosticStatus.ERROR, "of another recipe")
    assert _values(status)["dropped_refused"] == "5"
    assert capfd.readouterr().err.count("of another recipe") == 1
    subject.accept()
    _next(graph, reports, subject)
    assert _next(graph, reports, subject).level == DiagnosticStatus.OK
