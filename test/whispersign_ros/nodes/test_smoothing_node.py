# SPDX-License-Identifier: MIT
"""``smoothing_node`` alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from whispersign_model.errors import CheckpointError, ConfigError
from whispersign_model.features.recipe import Smoothing
from whispersign_model.features.smoothing import Smoother
from whispersign_msgs.msg import HandFrame
from whispersign_ros.conversions.messages import read_frame, time_message
from whispersign_ros.nodes.smoothing_node import SmoothingNode


@pytest.fixture
def filtered(graph):
    """Return a function that sends messages through a node and returns what comes out."""

    def through(sent, expected, **parameters):
        parameters = {"max_age": 0.0, **parameters}  # the stamps are recorded
        node = graph.start(SmoothingNode, **parameters)
        heard = graph.listen(HandFrame, "hands/filtered")
        publisher = graph.speak(HandFrame, "hands/raw")
        graph.heard_from("hands/filtered")
        graph.send(publisher, sent, node)
        graph.until(lambda: len(heard) >= expected)
        assert len(heard) == expected
        return node, heard

    return through


@pytest.mark.parametrize("kind", ["one_euro", "moving_average"])
def test_live_equals_offline(filtered, messages, recording, kind):
    smooth = Smoother(Smoothing(kind=kind)).smooth(recording)
    _, heard = filtered(messages(recording), len(smooth), kind=kind)
    frames = [read_frame(message) for message in heard]
    assert [frame.stamp for frame in frames] == smooth.stamps.tolist()
    np.testing.assert_allclose([f.positions for f in frames], smooth.positions, atol=1e-6)
    np.testing.assert_array_equal([f.confidence for f in frames], smooth.confidence)
    assert np.abs(smooth.positions - recording.positions).max() > 1e-3
    assert {message.smoothing for message in heard} == {Smoothing(kind=kind).name}
    assert [message.sequence for message in heard] == list(range(len(heard)))
    assert {message.header.frame_id for message in heard} == {"sensor"}


def test_the_filter_is_that_of_the_model(filtered, messages, recording, model, recipe):
    _, heard = filtered(messages(recording)[:5], 5, model=str(model))
    assert heard[0].smoothing == recipe.smoothing.name != ""


def first_tracked(recording):
    return int(np.flatnonzero(recording.confidence.any(axis=1))[0])


def test_none_passes_positions_as_they_are(filtered, messages, recording):
    first = first_tracked(recording)
    _, heard = filtered(messages(recording)[first : first + 50], 50, kind="none")
    np.testing.assert_array_equal(
        [read_frame(message).positions for message in heard],
        recording.positions[first : first + 50],
    )
    assert heard[0].smoothing == ""


def test_frames_that_are_smoothed_already_are_not_smoothed_again(filtered, messages, recording):
    first = first_tracked(recording)
    sent = messages(recording, smoothing="somebody's filter")[first : first + 50]
    _, heard = filtered(sent, 50, kind="one_euro")
    np.testing.assert_array_equal(
        [read_frame(message).positions for message in heard],
        recording.positions[first : first + 50],
    )
    assert heard[0].smoothing == "somebody's filter"


def test_a_sequence_that_steps_back_resets_the_filter(filtered, messages, recording):
    first = first_tracked(recording) + 5
    sent = messages(recording)[first : first + 20]
    again = messages(recording)[first + 3 : first + 23]  # later stamps, lower sequence
    for index, message in enumerate(again):
        message.sequence = index
        message.header.stamp.sec += 1
    _, heard = filtered(sent + again, 40, kind="one_euro")
    restarted = read_frame(heard[20])
    np.testing.assert_array_equal(restarted.positions, recording.positions[first + 3])
    assert not np.array_equal(read_frame(heard[21]).positions, recording.positions[first + 4])


def test_late_and_repeated_frames_are_dropped_and_counted(filtered, messages, recording):
    sent = messages(recording)[:30]
    late, repeated = messages(recording)[10], messages(recording)[29]
    late.sequence, repeated.sequence = 30, 31
    node, _ = filtered([*sent, late, repeated], 30, kind="one_euro")
    assert node.diagnostics.drops == {"frames_out_of_order": 2}


def test_a_storm_of_nan_does_no_harm(filtered, messages, recording):
    first = int(np.flatnonzero(recording.confidence.any(axis=1))[0])
    sent = messages(recording)[first : first + 60]
    for message in sent[10:40]:
        message.left_positions = np.full(63, np.nan, np.float32)
        message.right_positions = np.full(63, np.inf, np.float32)
        message.left_confidence = message.right_confidence = np.full(21, np.nan, np.float32)
    for message in sent[20:30]:
        message.left_confidence = message.right_confidence = np.ones(21, np.float32)
        message.left_tracked = message.right_tracked = True
    node, heard = filtered(sent, 60, kind="one_euro")
    frames = [read_frame(message) for message in heard]
    assert all(np.isfinite(frame.positions).all() for frame in frames)
    assert not any(frame.confidence.any() for frame in frames[10:40])
    assert all(frame.confidence.any() for frame in frames[41:])
    assert node.diagnostics.drops == {"joints_not_finite": 420}


def _aged(message, seconds, node):
    """Return a message as if it were captured so many seconds ago."""
    aged = copy.deepcopy(message)
    aged.header.stamp = time_message(node.get_clock().now().nanoseconds - round(seconds * 1e9))
    return aged


def test_old_frames_are_skipped_and_a_new_stream_begins(graph, messages, recording):
    node = graph.start(SmoothingNode, kind="one_euro", max_age=30.0)
    heard = graph.listen(HandFrame, "hands/filtered")
    publisher = graph.speak(HandFrame, "hands/raw")
    graph.heard_from("hands/filtered")
    first = first_tracked(recording) + 5
    sent = messages(recording)[first : first + 7]
    ages = (1.0, 0.98, 40.0, 39.98, 0.1, 0.1, 0.08)  # the fifth came with older ones
    graph.send(publisher, [_aged(m, age, node) for m, age in zip(sent, ages)], node)
    graph.until(lambda: len(heard) >= 4)
    assert [message.sequence for message in heard] == [first, first + 1, 0, 1]
    np.testing.assert_array_equal(  # the filter has forgotten the frames before
        read_frame(heard[2]).positions, recording.positions[first + 5]
    )
    assert node.diagnostics.drops == {"frames_too_old": 3}
    restarted = _aged(messages(recording)[0], -0.02, node)
    graph.send(publisher, [restarted, _aged(sent[1], -0.04, node)], node)
    graph.until(lambda: len(heard) >= 6)
    assert [message.sequence for message in heard[4:]] == [0, first + 1]


def test_frames_of_two_sources_are_refused(graph, messages, recording):
    node = graph.start(SmoothingNode, kind="none", max_age=0.0)
    heard = graph.listen(HandFrame, "hands/filtered")
    one = graph.speak(HandFrame, "hands/raw")
    other = graph.probe.create_publisher(HandFrame, "hands/raw", 10)
    graph.until(lambda: other.get_subscription_count() > 0)
    graph.heard_from("hands/filtered")
    sent = messages(recording)
    graph.send(one, sent[:3], node)
    for n in range(3):
        graph.send(other, sent[100 + n : 101 + n], node)
        graph.send(one, sent[3 + n : 4 + n], node)
    graph.until(lambda: len(heard) >= 3)
    for _ in range(5):
        graph.executor.spin_once(timeout_sec=0.05)
    assert [message.sequence for message in heard] == [0, 1, 2]
    assert node.diagnostics.drops == {"of_two_sources": 6}
    assert "several sources send on /hands/raw: /probe and /probe" in node._live._sources.fault()


def test_faults_at_the_start(graph, tmp_path):
    with pytest.raises(ConfigError, match=r"'kind' of smoothing_node.*allowed.*'one_euro'"):
        graph.start(SmoothingNode, kind="kalman")
    with pytest.raises(ConfigError, match=r"'min_cutoff'.*-1.*from 0.01 to 100"):
        graph.start(SmoothingNode, min_cutoff=-1.0)
    with pytest.raises(ConfigError, match=r"'window_siz'.*did you mean 'window_size'"):
        graph.start(SmoothingNode, window_siz=3)
    with pytest.raises(CheckpointError, match="does not exist"):
        graph.start(SmoothingNode, model=str(tmp_path / "missing"))
