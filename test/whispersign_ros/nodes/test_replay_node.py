# SPDX-License-Identifier: MIT
"""``replay_node`` alone."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from rclpy.clock import Clock as WallClock
from rclpy.node import Node
from rosgraph_msgs.msg import Clock

from whispersign_model.errors import BagError, ConfigError
from whispersign_model.features.recipe import Smoothing
from whispersign_model.features.smoothing import Smoother
from whispersign_model.recordings.bags.bag import read_bag, write_bag
from whispersign_msgs.msg import GlossAnnotation, HandFeatures, HandFrame
from whispersign_ros.conversions.messages import nanoseconds, read_frame
from whispersign_ros.node import qos
from whispersign_ros.nodes import replay_node
from whispersign_ros.nodes.replay_node import ReplayNode

FAST = {"playback_speed": 50.0, "start_delay": 0.0}


class Bench:
    """A node that plays, and what has been heard of it."""

    def __init__(self, graph, bag, *, until_end=True, **parameters):
        self.frames = graph.listen(HandFrame, "hands/raw")
        self.labels = graph.listen(GlossAnnotation, "annotation")
        self.ended = []
        self.node = graph.start(
            ReplayNode, lambda: self.ended.append(True), bag=bag, **{**FAST, **parameters}
        )
        if until_end:
            graph.until(lambda: self.ended)

    @property
    def stamps(self):
        return [nanoseconds(message.header.stamp) for message in self.frames]

    @property
    def sequences(self):
        return [message.sequence for message in self.frames]


def test_recorded_stamps_and_hands_are_sent_unchanged(graph, bag):
    bench = Bench(graph, str(bag), restamp=False)
    recorded = read_bag(bag)
    graph.until(lambda: len(bench.frames) >= len(recorded))
    assert bench.stamps == recorded.stamps.tolist()
    assert bench.sequences == list(range(len(recorded)))
    frames = [read_frame(message) for message in bench.frames]
    np.testing.assert_array_equal([frame.positions for frame in frames], recorded.positions)
    np.testing.assert_array_equal([frame.confidence for frame in frames], recorded.confidence)
    assert {message.coordinates for message in bench.frames} == {int(recorded.coordinates)}
    assert {message.source for message in bench.frames} == {recorded.source}
    assert {message.smoothing for message in bench.frames} == {""}
    graph.until(lambda: len(bench.labels) >= 2)
    spans = [
        (tuple(label.glosses), nanoseconds(label.start_time), nanoseconds(label.end_time))
        for label in bench.labels
    ]
    assert spans == [(s.glosses, s.start, s.end) for s in recorded.segments]
    assert {label.signer for label in bench.labels} == {recorded.signer}


def test_restamping_moves_everything_to_now_and_keeps_the_spacing(graph, bag):
    before = graph.probe.get_clock().now().nanoseconds
    bench = Bench(graph, str(bag), restamp=True)
    recorded = read_bag(bag)
    graph.until(lambda: len(bench.frames) >= len(recorded) and len(bench.labels) >= 2)
    shift = bench.stamps[0] - int(recorded.stamps[0])
    assert before < bench.stamps[0] <= graph.probe.get_clock().now().nanoseconds
    assert bench.stamps == (recorded.stamps + shift).tolist()
    assert nanoseconds(bench.labels[0].start_time) == recorded.segments[0].start + shift


def test_simulated_time_is_honoured(graph, bag):
    clock = graph.probe.create_publisher(Clock, "/clock", 10)
    timer = graph.probe.create_timer(
        0.02, lambda: clock.publish(Clock(clock=Time(sec=5000))), clock=WallClock()
    )
    bench = Bench(graph, str(bag), use_sim_time=True, start_delay=1.0)
    graph.until(lambda: bench.frames)
    assert bench.stamps[0] == 5000 * 10**9
    graph.probe.destroy_timer(timer)


@pytest.mark.parametrize("then", [100, 9000])
def test_a_jump_of_the_clock_begins_another_stream_at_the_new_time(graph, bag, then):
    seconds = [5000]
    clock = graph.probe.create_publisher(Clock, "/clock", 10)
    timer = graph.probe.create_timer(
        0.02, lambda: clock.publish(Clock(clock=Time(sec=seconds[0]))), clock=WallClock()
    )
    bench = Bench(
        graph, str(bag), until_end=False, use_sim_time=True, loop=True, playback_speed=4.0
    )
    graph.until(lambda: len(bench.frames) > 20)
    seconds[0] = then
    graph.until(lambda: bench.stamps[-1] // 10**9 in range(then, then + 60))
    first = bench.stamps.index(then * 10**9)
    assert bench.sequences[first] == 0
    assert bench.sequences[first - 1] > 0
    graph.until(
        lambda: bench.labels[-1:] and bench.labels[-1].end_time.sec in range(then, then + 60)
    )
    assert all(a < b for a, b in zip(bench.stamps[first:], bench.stamps[first + 1 :]))
    graph.probe.destroy_timer(timer)


def test_frames_are_sent_at_the_recorded_pace_times_rate(graph, bag):
    arrivals = []
    graph.probe.create_subscription(
        HandFrame, "hands/raw", lambda _: arrivals.append(graph.probe.get_clock().now()), 1000
    )
    bench = Bench(graph, str(bag), playback_speed=10.0)
    graph.until(lambda: len(arrivals) >= len(bench.frames) > 0)
    played = (arrivals[-1] - arrivals[0]).nanoseconds / 1e9
    assert played >= 0.9 * read_bag(bag).duration / 10.0


def test_a_loop_starts_each_round_at_sequence_0(graph, bag):
    length = len(read_bag(bag))
    bench = Bench(graph, str(bag), loop=True, until_end=False, playback_speed=3.0)
    graph.until(lambda: len(bench.frames) >= 2 * length + 1)
    assert bench.sequences[: 2 * length + 1] == 2 * list(range(length)) + [0]
    assert bench.stamps == sorted(bench.stamps)
    assert not bench.ended


def test_several_bags_are_played_in_order_each_from_sequence_0(graph, tmp_path, recording):
    short = recording.between(int(recording.stamps[0]), int(recording.stamps[19]))
    for number in (10, 9, 2):
        moved = replace(short, stamps=short.stamps + number * 10**12)
        write_bag(tmp_path / f"take_{number}", moved)
    bench = Bench(graph, str(tmp_path), restamp=False)
    graph.until(lambda: len(bench.frames) >= 60)
    assert bench.sequences == 3 * list(range(20))
    starts = [bench.stamps[0], bench.stamps[20], bench.stamps[40]]
    assert starts == [short.stamps[0] + number * 10**12 for number in (2, 9, 10)]


def test_a_list_of_bags_is_played_in_its_order(graph, tmp_path, recording):
    short = recording.between(int(recording.stamps[0]), int(recording.stamps[4]))
    paths = [tmp_path / "b", tmp_path / "a"]
    for number, path in enumerate(paths):
        write_bag(path, replace(short, stamps=short.stamps + number * 10**12))
    bench = Bench(graph, [str(path) for path in paths], restamp=False)
    graph.until(lambda: len(bench.frames) >= 10)
    assert bench.stamps == sorted(bench.stamps)


def test_a_bag_that_cannot_be_read_is_left_out_and_counted(graph, tmp_path, bag):
    for name in ("1", "2", "3"):
        shutil.copytree(bag, tmp_path / name)
    file = next((tmp_path / "2").glob("*.mcap"))
    file.write_bytes(file.read_bytes()[:2000])
    bench = Bench(graph, str(tmp_path), playback_speed=100.0)
    length = len(read_bag(bag))
    graph.until(lambda: len(bench.frames) >= 2 * length)
    assert bench.sequences == 2 * list(range(length))
    assert bench.node.diagnostics.drops == {"unreadable_recordings": 1}


def test_whatever_a_reader_raises_the_next_bag_is_played(graph, tmp_path, bag, monkeypatch):
    for name in ("1", "2", "3"):
        shutil.copytree(bag, tmp_path / name)
    read = replay_node.read_hands

    def fails(path):
        if path.name == "2":
            raise MemoryError("nobody expected this")
        return read(path)

    monkeypatch.setattr(replay_node, "read_hands", fails)
    bench = Bench(graph, str(tmp_path), playback_speed=100.0)
    graph.until(lambda: len(bench.frames) >= 2 * len(read(bag)))
    assert bench.node.diagnostics.drops == {"unreadable_recordings": 1}


def test_filtered_hands_are_played_where_there_are_no_raw_ones(graph, tmp_path, recording):
    smooth = Smoother(Smoothing()).smooth(recording)
    write_bag(tmp_path / "filtered", smooth)
    bench = Bench(graph, str(tmp_path / "filtered"), restamp=False)
    graph.until(lambda: len(bench.frames) >= len(smooth))
    assert {message.smoothing for message in bench.frames} == {Smoothing().name}


def test_nothing_is_sent_before_everybody_listens(graph, bag):
    waited_for = graph.add(Node("waited_for"))
    frames = graph.listen(HandFrame, "hands/raw")
    node = graph.start(ReplayNode, lambda: None, bag=str(bag), wait_for=["waited_for"], **FAST)
    for _ in range(20):
        graph.executor.spin_once(timeout_sec=0.05)
    assert frames == []
    waited_for.create_subscription(HandFeatures, "hands/features", lambda message: None, 1)
    graph.until(lambda: frames)
    assert frames[0].sequence == 0
    assert node.diagnostics.drops == {}


def test_nothing_is_sent_while_nobody_listens(graph, bag):
    node = graph.start(ReplayNode, lambda: None, bag=str(bag), **FAST)
    for _ in range(20):
        graph.executor.spin_once(timeout_sec=0.05)
    frames = graph.listen(HandFrame, "hands/raw")
    graph.until(lambda: not node._player.playing)
    graph.until(lambda: frames)
    assert frames[0].sequence == 0


def test_playing_starts_anyway_after_the_timeout(graph, bag, capfd):
    frames = graph.listen(HandFrame, "hands/raw")
    graph.start(
        ReplayNode, lambda: None, bag=str(bag), wait_for=["nobody"], wait_timeout=0.2, **FAST
    )
    graph.until(lambda: frames)
    assert "nobody not subscribed after 0.2 s; playing anyway" in capfd.readouterr().err


def test_it_stays_idle_where_it_is_not_to_end(graph, bag):
    bench = Bench(graph, str(bag), exit_at_end=False, until_end=False)
    graph.until(lambda: not bench.node._player.playing)
    assert bench.frames
    assert not bench.ended


def test_faults_at_the_start(graph, tmp_path, bag):
    ends = []
    for parameters, error, text in (
        ({}, ConfigError, r"parameter 'bag': is empty"),
        ({"bag": str(tmp_path / "missing")}, BagError, r"missing: does not exist"),
        ({"bag": str(tmp_path)}, BagError, r"holds no rosbag2"),
        ({"bag": str(bag), "playback_speed": 0.0}, ConfigError, r"_speed'.*from 0.01 to 100"),
        ({"bag": str(bag), "playback_speed": "fast"}, ConfigError, r"_speed'.*float"),
        ({"bag": 3}, ConfigError, r"'bag'.*string or list of strings"),
        ({"bag": str(bag), "lop": True}, ConfigError, r"'lop'.*did you mean 'loop'"),
    ):
        with pytest.raises(error, match=text):
            graph.start(ReplayNode, lambda: ends.append(True), **parameters)
    assert not ends


def test_a_truncated_bag_is_a_fault_at_the_start(graph, tmp_path, bag):
    shutil.copytree(bag, tmp_path / "cut")
    file = next((tmp_path / "cut").glob("*.mcap"))
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(BagError, match=r"ends too early"):
        graph.start(ReplayNode, lambda: None, bag=str(tmp_path / "cut"))


@pytest.mark.parametrize("restamp", [True, False])
def test_the_time_of_what_is_played_is_on_clock(graph, bag, restamp):
    times = graph.listen(Clock, "/clock", qos.CLOCK)
    bench = Bench(graph, str(bag), clock=200.0, playback_speed=2.0, restamp=restamp)
    graph.until(lambda: len(bench.frames) >= len(read_bag(bag)))
    graph.until(lambda: times and nanoseconds(times[-1].clock) == bench.stamps[-1])
    heard = [nanoseconds(message.clock) for message in times]
    assert bench.stamps[0] <= heard[0]
    assert sorted(heard) == heard
    inside = [time for time in heard if bench.stamps[0] < time < bench.stamps[-1]]
    assert len(inside) > 20  # it goes on between the first frame and the last


def test_without_asking_there_is_no_clock(graph, bag):
    Bench(graph, str(bag))
    assert graph.probe.count_publishers("/clock") == 0


def test_a_node_that_gives_the_time_cannot_take_it(graph, bag):
    with pytest.raises(ConfigError, match="'clock': this node cannot both publish"):
        graph.start(ReplayNode, lambda: None, bag=str(bag), clock=10.0, use_sim_time=True)
