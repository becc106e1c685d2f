# SPDX-License-Identifier: MIT
"""Sequence restarts, and the watchdog of an input."""

from __future__ import annotations

import time

from std_msgs.msg import String

from whispersign_ros.node.stream_monitor import InputWatchdog, SequenceTracker


def test_a_new_stream_begins_where_the_sequence_does_not_increase():
    tracker = SequenceTracker()
    assert [tracker.update(sequence) for sequence in (5, 6, 9, 0, 1, 1, 0, 7)] == [
        False,
        False,
        False,
        True,
        False,
        True,
        True,
        False,
    ]


def test_silence_calls_back_once_after_each_message_and_never_before_the_first(graph):
    calls = []
    watchdog = InputWatchdog(graph.probe, 0.1, lambda: calls.append(True))
    for _ in range(10):
        graph.executor.spin_once(timeout_sec=0.05)
    assert calls == []
    for expected in (1, 2):
        watchdog.feed()
        assert watchdog.armed
        graph.until(lambda expected=expected: len(calls) == expected)
        assert not watchdog.armed
        for _ in range(10):
            graph.executor.spin_once(timeout_sec=0.05)
        assert len(calls) == expected
    watchdog.feed()
    watchdog.destroy()
    for _ in range(10):
        graph.executor.spin_once(timeout_sec=0.05)
    assert len(calls) == 2


def test_messages_that_wait_in_the_queue_are_no_silence(graph):
    """A process that is held up for longer than the timeout must not take that for silence."""
    calls, heard = [], []
    watchdog = InputWatchdog(graph.probe, 0.2, lambda: calls.append(len(heard)))

    def hear(message):
        heard.append(message)
        watchdog.feed()

    graph.probe.create_subscription(String, "words", hear, 10)
    publisher = graph.speak(String, "words")
    publisher.publish(String())
    graph.until(lambda: len(heard) == 1)
    publisher.publish(String())
    time.sleep(0.6)  # held up
    graph.until(lambda: calls)
    assert calls == [2]
