# SPDX-License-Identifier: MIT
"""The monitor of a graph: what it records, and how long it waits."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from whispersign_model.errors import WhisperSignError
from whispersign_msgs.msg import Gloss, GlossAnnotation
from whispersign_ros.conversions.messages import time_message
from whispersign_ros.graph import monitor as module
from whispersign_ros.graph.child_processes import Children
from whispersign_ros.graph.monitor import GraphMonitor, GraphTimeoutError

SHORT = 0.2  # seconds


@pytest.fixture
def monitor(graph):
    return graph.add(GraphMonitor(Children()))


def _times(start, end):
    return {"start_time": time_message(start), "end_time": time_message(end)}


def _report(count):
    values = [KeyValue(key="received", value=str(count)), KeyValue(key="dropped_late", value="2")]
    status = DiagnosticStatus(
        level=DiagnosticStatus.WARN, name="/a_node", message="slow", values=values
    )
    return DiagnosticArray(status=[status])


def test_glosses_annotations_and_reports_are_recorded(graph, monitor):
    graph.speak(Gloss, "gloss").publish(Gloss(gloss="GO", final=True, **_times(1, 2)))
    graph.speak(Gloss, "gloss_partial").publish(Gloss(gloss="STOP", **_times(3, 4)))
    annotations = graph.speak(GlossAnnotation, "annotation")
    annotations.publish(GlossAnnotation(glosses=["GO", "STOP"], **_times(1, 4)))
    graph.speak(DiagnosticArray, "/diagnostics").publish(_report(7))
    seconds = monitor.until(
        lambda: monitor.finals and monitor.partials and monitor.annotated and monitor.reports,
        "all messages",
    )
    assert 0 <= seconds < module.EVENT_LIMIT
    (final,), (partial,) = monitor.finals, monitor.partials
    assert (final.gloss, final.start, final.end) == ("GO", 1, 2)
    assert (partial.gloss, partial.start, partial.end) == ("STOP", 3, 4)
    assert [each.gloss for each in monitor.annotated] == ["GO", "STOP"]
    report = monitor.reports["a_node"]
    assert (report.level, report.message, report.received) == (1, "slow", 7)
    assert report.drops == {"late": 2}
    assert 0 <= time.monotonic() - final.arrival < module.EVENT_LIMIT


def test_a_topic_has_one_subscription_however_many_callbacks(graph, monitor):
    received = []
    monitor.subscribe("gloss", received.append)
    publisher = graph.speak(Gloss, "gloss")
    publisher.publish(Gloss(gloss="GO", final=True))
    monitor.until(lambda: received, "a gloss")
    assert [each.gloss for each in monitor.finals] == ["GO"]
    assert publisher.get_subscription_count() == 1


def test_only_a_report_of_further_input_counts_as_an_arrival(monitor):
    monitor._on_diagnostics(_report(7))
    monitor.last_arrival = 0.0
    monitor._on_diagnostics(_report(7))
    assert monitor.last_arrival == 0.0
    monitor._on_diagnostics(_report(8))
    assert monitor.last_arrival > 0.0


def test_what_does_not_happen_is_named_after_its_time(monitor):
    with pytest.raises(GraphTimeoutError, match=r"the live graph: the first gloss: not within 0 s"):
        monitor.until(lambda: False, "the first gloss", SHORT)


def test_a_process_that_fails_ends_the_wait(graph, monitor):
    def check():
        raise WhisperSignError("a_node", "ended with exit code 2")

    monitor.children = SimpleNamespace(check=check)
    with pytest.raises(WhisperSignError, match="a_node: ended with exit code 2"):
        monitor.until(lambda: False, "the first gloss")


@pytest.mark.parametrize("complete", [True, False])
def test_it_waits_for_the_source_and_then_for_silence(monkeypatch, monitor, recording, complete):
    monkeypatch.setattr(module, "QUIET", 3 * SHORT)
    monkeypatch.setattr(module, "QUIET_WHEN_COMPLETE", SHORT)
    begin = time.monotonic()
    ended = lambda name: time.monotonic() - begin > SHORT  # noqa: E731
    monitor.children = SimpleNamespace(check=lambda: None, ended=ended)
    monitor.wait_until_played("replay_node", [recording], lambda: complete)
    assert monitor.source_ended
    assert time.monotonic() - begin > SHORT + (SHORT if complete else 3 * SHORT)


def test_a_source_that_never_ends_is_named(monkeypatch, monitor):
    monkeypatch.setattr(module, "START_LIMIT", 0.0)
    monkeypatch.setattr(module, "QUIET", SHORT)
    monitor.children = SimpleNamespace(check=lambda: None, ended=lambda name: False)
    with pytest.raises(GraphTimeoutError, match="the end of the recordings"):
        monitor.wait_until_played("replay_node", [])
