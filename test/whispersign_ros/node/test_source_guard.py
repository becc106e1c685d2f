# SPDX-License-Identifier: MIT
"""One source at a time: told by the publisher, or by sequence and stamps."""

from __future__ import annotations

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node

from whispersign_msgs.msg import HandFrame
from whispersign_ros.node import qos
from whispersign_ros.node.diagnostics import Diagnostics
from whispersign_ros.node.source_guard import (
    SOURCE_AGE,
    SourceGuard,
    SourceMonitor,
    publisher_gid,
    source_names,
)

STEP = 16_000_000  # nanoseconds


def _admit(guard, now, gid=None, sequence=0, stamp=0):
    return guard.admit(gid, sequence, stamp, now)


def test_messages_of_both_sources_are_refused_until_one_is_silent():
    guard = SourceGuard()
    assert _admit(guard, 0.0, b"A")
    assert not _admit(guard, 0.1, b"B")
    assert not _admit(guard, 0.2, b"A")
    assert guard.sources(0.2) == (b"A", b"B")
    assert guard.in_conflict(0.59)
    assert not _admit(guard, 0.59, b"A")
    assert not guard.in_conflict(0.6)  # B has been silent for 0.5 s
    assert _admit(guard, 0.6, b"A")
    assert not _admit(guard, 0.7, b"B")


def test_a_sensor_that_is_started_again_is_admitted_once_the_old_one_is_silent():
    guard = SourceGuard()
    assert _admit(guard, 0.0, b"old")
    assert not _admit(guard, 0.4, b"new")
    assert _admit(guard, 0.0 + SOURCE_AGE, b"new")
    assert guard.sources(SOURCE_AGE) == (b"new",)


def _run(sequences, step=0.01):
    """Return what a guard does with messages without gids; stamps follow the arrivals."""
    guard = SourceGuard()
    return [
        _admit(guard, n * step, None, sequence, n * STEP) for n, sequence in enumerate(sequences)
    ]


@pytest.mark.parametrize(
    "sequences",
    [
        [5, 6, 7, 9, 30, 31],  # losses
        [100, 101, 0, 1, 2, 3],  # a restart
        [3, 4, 0, 1, 2, 3, 4, 5, 6],  # a restart that passes the old sequence
        [3, 0, 1, 0, 1, 2],
        [7, 7, 8, 9],  # one message twice
    ],
)
def test_one_source_without_gid_is_admitted(sequences):
    assert all(_run(sequences))


@pytest.mark.parametrize(
    "sequences",
    [
        [1000, 5, 1001, 6, 1002, 7, 1003],
        [5, 1000, 6, 1001, 7, 1002, 8],
        [10, 10, 11, 11, 12, 12, 13],
        [100, 0, 101, 0, 102, 0, 103],  # one never sets its sequence
        [10, 11, 500, 12, 13, 501, 14],
    ],
)
def test_two_interleaved_sequences_without_gid_are_refused(sequences):
    said = _run(sequences)
    assert not any(said[5:])


def test_of_two_sequences_the_stamps_tell_which_goes_on():
    guard = SourceGuard()
    assert _admit(guard, 0.00, None, 100, 1000 * STEP)
    assert _admit(guard, 0.01, None, 100, 5 * STEP)
    assert not _admit(guard, 0.02, None, 101, 1001 * STEP)


def test_interleaved_sources_are_admitted_when_one_is_silent():
    guard = SourceGuard()
    for n in range(5):
        _admit(guard, n / 100, None, 1000 + n, 2 * n * STEP)
        _admit(guard, n / 100, None, n, (2 * n + 1) * STEP)
    assert guard.in_conflict(0.04)
    for n in range(5, 60):
        admitted = _admit(guard, n / 100, None, n, 2 * n * STEP)
    assert admitted
    assert guard.sources(0.6) == ()


@pytest.mark.parametrize("info", [None, {}, {"publisher_gid": None}])
def test_older_distributions_name_no_publisher(info):
    assert publisher_gid(info) is None


def test_the_publisher_of_a_message_is_found_on_the_graph(graph):
    said = []
    graph.probe.create_subscription(
        HandFrame, "hands/raw", lambda message, info: said.append(publisher_gid(info)), 10
    )
    nodes = [graph.add(Node(name, namespace="/left")) for name in ("one", "other")]
    publishers = [node.create_publisher(HandFrame, "/hands/raw", 10) for node in nodes]
    graph.until(lambda: graph.probe.count_publishers("/hands/raw") == 2)
    for publisher, name in zip(publishers, ("/left/one", "/left/other")):
        said.clear()
        graph.until(lambda each=publisher: each.get_subscription_count())
        publisher.publish(HandFrame())
        graph.until(lambda: said)
        if said[0] is None:
            pytest.skip("this distribution names no publisher")
        assert source_names(graph.probe, "/hands/raw", said) == [name]
    assert source_names(graph.probe, "/hands/raw", ()) == ["/left/one", "/left/other"]


def test_two_sources_are_an_error_that_names_both_nodes(graph):
    diagnostics = Diagnostics(graph.probe, "hands/raw", "whispersign_msgs/msg/HandFrame")
    monitor = SourceMonitor(graph.probe, "hands/raw", diagnostics)
    admitted = []
    qos.HandsInput(
        graph.probe,
        "hands/raw",
        lambda message, info: admitted.append(monitor.admit(info, message.sequence, 0)),
    )
    reports = graph.listen(DiagnosticArray, "/diagnostics")
    nodes = [graph.add(Node(name)) for name in ("camera_node", "forgotten_node")]
    publishers = [node.create_publisher(HandFrame, "hands/raw", 10) for node in nodes]
    graph.until(lambda: all(each.get_subscription_count() for each in publishers))
    graph.heard_from("/diagnostics")
    for sequence in (1, 2, 3):
        for publisher in publishers:
            publisher.publish(HandFrame(sequence=100 * publishers.index(publisher) + sequence))
    diagnostics.dropped("frames_missed")  # must not hide the error
    diagnostics.refuse("frames in feet")
    graph.until(lambda: len(admitted) == 6)
    diagnostics.report()
    graph.until(lambda: reports)
    status = reports[-1].status[0]
    assert status.level == DiagnosticStatus.ERROR
    assert status.message == (
        "several sources send on /hands/raw: /camera_node and /forgotten_node; all are refused "
        "until only one sends"
    )
    assert admitted[0]
    assert not any(admitted[3:])
