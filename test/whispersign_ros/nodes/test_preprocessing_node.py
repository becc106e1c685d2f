# SPDX-License-Identifier: MIT
"""``preprocessing_node`` alone."""

from __future__ import annotations

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from whispersign_model.errors import CheckpointError, ConfigError
from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.features.smoothing import Smoother
from whispersign_msgs.msg import HandFeatures, HandFrame
from whispersign_ros.conversions.messages import read_features, time_message
from whispersign_ros.nodes.preprocessing_node import PreprocessingNode

NEVER = 60.0  # seconds of idle_timeout that do not pass during a test


class Bench:
    """A node with something before and behind it."""

    def __init__(self, graph, model, **parameters):
        self.graph = graph
        parameters = {"max_age": 0.0, **parameters}  # the stamps are recorded
        self.node = graph.start(PreprocessingNode, model=str(model), **parameters)
        self.heard = graph.listen(HandFeatures, "hands/features")
        self.publisher = graph.speak(HandFrame, "hands/filtered")
        graph.heard_from("hands/features")

    def send(self, messages):
        self.graph.send(self.publisher, messages, self.node)

    def flush(self):
        """Give out what is held back, and wait until it has come."""
        self.node.flush()
        marker = HandFeatures(recipe_id="marker")
        self.node._publisher.publish(marker)
        self.graph.until(lambda: self.heard and self.heard[-1].recipe_id == "marker")
        self.heard.pop()


@pytest.fixture
def bench(graph, model):
    return Bench(graph, model, idle_timeout=NEVER)


@pytest.fixture(scope="session")
def broken_off(recording):
    """Return the sentence up to the middle of its first sign, while a hand is tracked."""
    sign = recording.segments[0]
    part = recording.between(int(recording.stamps[0]), (sign.start + sign.end) // 2)
    assert part.confidence[-1].any()
    return part


@pytest.fixture(scope="session")
def smooth(broken_off, recipe):
    """Return it as smoothing_node would give it."""
    return Smoother(recipe.smoothing).smooth(broken_off)


@pytest.fixture(scope="session")
def offline(broken_off, recipe):
    return Preprocessor(recipe).process(broken_off)


def _assert_equal(heard, block):
    stamps, features = zip(*map(read_features, heard))
    assert list(stamps) == block.stamps.tolist()
    np.testing.assert_allclose(features, block.frames, atol=1e-4)


def test_live_features_equal_offline_ones(bench, messages, recording, recipe):
    offline = Preprocessor(recipe).process(recording)
    bench.send(messages(Smoother(recipe.smoothing).smooth(recording)))
    bench.flush()
    _assert_equal(bench.heard, offline)
    assert [message.sequence for message in bench.heard] == list(range(len(offline)))
    assert {message.recipe_id for message in bench.heard} == {recipe.id}
    assert {message.header.frame_id for message in bench.heard} == {"sensor"}
    assert bench.node.diagnostics.drops == {}


def test_raw_frames_are_smoothed_on_the_way(bench, messages, broken_off, offline):
    bench.send(messages(broken_off))
    bench.flush()
    _assert_equal(bench.heard, offline)


def test_a_sequence_that_steps_back_finishes_the_stream_and_begins_another(
    bench, messages, smooth, offline
):
    bench.send(messages(smooth) + messages(smooth))
    bench.flush()
    assert len(bench.heard) == 2 * len(offline)
    for half in (bench.heard[: len(offline)], bench.heard[len(offline) :]):
        _assert_equal(half, offline)
        assert [message.sequence for message in half] == list(range(len(offline)))


def test_a_jump_in_time_begins_another_stream(bench, messages, smooth, offline):
    later = messages(smooth)
    for index, message in enumerate(later):
        message.sequence = len(later) + index
        message.header.stamp.sec += 1000
    bench.send(messages(smooth) + later)
    bench.flush()
    sequences = [message.sequence for message in bench.heard]
    assert sequences == 2 * list(range(len(offline)))


def test_silence_gives_out_what_is_held_back(graph, model, messages, smooth, offline):
    bench = Bench(graph, model, idle_timeout=0.3)
    bench.send(messages(smooth))
    graph.until(lambda: len(bench.heard) == len(offline))
    _assert_equal(bench.heard, offline)


def test_one_frame_is_a_stream(bench, messages, smooth):
    bench.send(messages(smooth)[:1] + messages(smooth)[:1])
    bench.flush()
    assert [message.sequence for message in bench.heard] == [0, 0]


def test_late_repeated_and_bad_frames_do_no_harm(bench, messages, smooth, offline):
    sent = messages(smooth)
    for extra in (messages(smooth)[80], messages(smooth)[99]):
        extra.sequence = 99
        sent.insert(100, extra)
    storm = messages(smooth)[100]
    storm.left_positions = storm.right_positions = np.full(63, np.nan, np.float32)
    storm.left_tracked = storm.right_tracked = True
    storm.left_confidence = storm.right_confidence = np.ones(21, np.float32)
    storm.header.stamp.nanosec -= 2_000_000
    sent.insert(102, storm)
    for sequence, message in enumerate(sent):
        message.sequence = sequence
    bench.send(sent)
    bench.flush()
    assert len(bench.heard) == len(offline)
    assert all(np.isfinite(read_features(message)[1]).all() for message in bench.heard)
    assert bench.node.diagnostics.drops == {"frames_out_of_order": 2, "joints_not_finite": 42}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"smoothing": "moving_average(5)"}, "smoothed by moving_average"),
        ({"coordinates": HandFrame.IMAGE_NORMALISED}, "coordinates are image_normalised"),
        ({"coordinates": 99}, "coordinates 99 are unknown"),
    ],
)
def test_frames_of_another_recipe_are_refused(bench, messages, smooth, change, reason):
    wrong = messages(smooth)[:30]
    for message in wrong:
        for field, value in change.items():
            setattr(message, field, value)
    bench.send(wrong)
    bench.flush()
    assert bench.heard == []
    assert bench.node.diagnostics.drops == {"refused": 30}
    assert reason in bench.node.diagnostics.refusal
    bench.send(messages(smooth)[30:60])
    assert bench.node.diagnostics.refusal == ""
    assert len(bench.heard) > 10


def _live(messages, node, ages):
    """Return messages as if they were captured so many seconds ago."""
    now = node.get_clock().now().nanoseconds
    for message, age in zip(messages, ages):
        message.header.stamp = time_message(now - round(age * 1e9))
    return messages


def test_old_frames_are_skipped_and_a_new_stream_begins(graph, model, messages, smooth):
    bench = Bench(graph, model, idle_timeout=NEVER, max_age=30.0)
    ages = [*(1 - n / 60 for n in range(30)), *(50 - n / 60 for n in range(30))]
    sent = messages(smooth)[-90:]  # a hand is tracked
    bench.send(_live(sent[:60], bench.node, ages))
    assert bench.node.diagnostics.drops == {"frames_too_old": 30}
    before = bench.node._sequence  # published so far
    ages = [0.61, 0.62, *(0.6 - n / 60 for n in range(29))]  # the first came with older ones
    bench.send(_live(sent[59:], bench.node, ages))
    bench.flush()
    assert 20 <= before <= 30
    sequences = [message.sequence for message in bench.heard]
    assert sequences == [*range(before), *range(len(sequences) - before)]
    assert len(sequences) - before >= 28


def test_frames_of_two_sources_are_refused(bench, graph, messages, smooth):
    sent = messages(smooth)[-25:]  # a hand is tracked
    other = graph.probe.create_publisher(HandFrame, "hands/filtered", 10)
    graph.until(lambda: other.get_subscription_count() > 0)
    bench.send(sent[:19])
    before = bench.node._sequence  # published so far; two features wait for later frames
    graph.send(other, sent[19:20], bench.node)
    bench.send(sent[20:24])
    bench.flush()
    assert len(bench.heard) == before  # not even the features that waited
    assert bench.node.diagnostics.drops == {"of_two_sources": 5}


def _at_rate(messages, rate, start):
    """Return messages that are captured at a steady rate from a second on."""
    for sequence, message in enumerate(messages):
        message.header.stamp = time_message(round((start + sequence / rate) * 1e9))
        message.sequence = sequence
        message.source = "camera"
    return messages


def _warnings(capfd):
    told = capfd.readouterr().err.splitlines()
    return [line for line in told if "frames per second" in line]


def test_a_stream_too_slow_to_recognize_is_reported_once(bench, messages, smooth, capfd):
    reports = bench.graph.listen(DiagnosticArray, "/diagnostics")
    hands = messages(smooth)[-45:]
    bench.send(_at_rate(hands, 5, 100))
    (warning,) = _warnings(capfd)
    assert "/hands/filtered (from camera): 5.0 frames per second are too few" in warning
    assert "at least 8 are needed: give the camera more light or a smaller picture" in warning
    bench.graph.heard_from("/diagnostics")
    bench.node.diagnostics.report()
    bench.graph.until(lambda: reports)
    status = reports[-1].status[0]
    assert status.level == DiagnosticStatus.WARN
    assert status.message.startswith("5.0 frames per second are too few")
    assert {pair.key: pair.value for pair in status.values}["frame_rate"] == "5.0"
    for start in range(110, 160, 10):
        bench.send(_at_rate(hands, 5, start))
    assert _warnings(capfd) == []
    for start in range(160, 172):
        bench.send(_at_rate(hands, 40, start))
    assert bench.node.diagnostics._warning == ""
    bench.send(_at_rate(hands, 3, 180))
    (warning,) = _warnings(capfd)
    assert "3.0 frames per second" in warning


def test_no_hand_in_view_counts_as_frames(bench, messages, smooth, capfd):
    empty = messages(smooth)[-45:]
    for message in empty:
        message.left_tracked = message.right_tracked = False
    bench.send(_at_rate(empty, 30, 100))
    bench.send(_at_rate(empty, 5, 110))
    assert len(_warnings(capfd)) == 1


@pytest.mark.parametrize("rate", [8.1, 40])
def test_a_stream_that_comes_late_or_with_gaps_is_not_slow(bench, messages, smooth, capfd, rate):
    hands = messages(smooth)[-45:]
    for visit in range(6):
        bench.send(_at_rate(hands, rate, 100 + visit * (45 / rate + 2)))
    assert bench.node.diagnostics._warning == ""
    assert _warnings(capfd) == []


def test_faults_at_the_start(graph, tmp_path):
    with pytest.raises(CheckpointError, match=r"missing: does not exist"):
        graph.start(PreprocessingNode, model=str(tmp_path / "missing"))
    with pytest.raises(ConfigError, match=r"'idle_timeout'.*0.05 to 60"):
        graph.start(PreprocessingNode, idle_timeout=0.0)
