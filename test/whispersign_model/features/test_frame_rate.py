# SPDX-License-Identifier: MIT
"""Streams that are too slow, and others that only look so."""

from __future__ import annotations

import numpy as np
import pytest

from whispersign_model.features.frame_rate import (
    MIN_FRAME_RATE,
    FrameRateMonitor,
    describe_slow,
    slow_rate,
)

SECOND = 1_000_000_000


def steady(rate, seconds, start=0.0):
    """Return stamps in seconds at a steady rate."""
    return start + np.arange(round(rate * seconds) + 1) / rate


def stamps(*parts):
    """Join parts of a stream, each a pause after the end of the one before."""
    return np.round(np.concatenate(parts) * SECOND).astype(np.int64)


def notices(times, monitor=None):
    """Return the seconds at which a stream becomes too slow."""
    monitor = monitor or FrameRateMonitor()
    return [stamp / SECOND for stamp in times.tolist() if monitor.push(stamp)]


@pytest.mark.parametrize("rate", [0.25, 0.5, 1.0, 3.0, 5.0, 7.0, 7.9])
def test_a_slow_stream_is_noticed_once(rate):
    monitor = FrameRateMonitor()
    (moment,) = notices(stamps(steady(rate, 120)), monitor)
    assert moment <= 5 + 5 / rate
    assert monitor.rate == pytest.approx(rate)
    assert monitor.fault.startswith(f"{rate:.1f} frames per second are too few")
    assert "at least 8 are needed: give the camera more light" in monitor.fault


@pytest.mark.parametrize("rate", [MIN_FRAME_RATE, 8.1, 10.0, 30.0, 120.0])
def test_a_stream_that_is_fast_enough_is_not(rate):
    monitor = FrameRateMonitor()
    assert notices(stamps(steady(rate, 60)), monitor) == []
    assert monitor.rate == pytest.approx(rate)
    assert monitor.fault == ""


@pytest.mark.parametrize("rate", [9.0, 15.0, 30.0, 120.0])
@pytest.mark.parametrize(("seen", "away"), [(3.0, 2.0), (1.0, 2.0), (0.5, 4.9), (6.0, 60.0)])
def test_a_gap_is_not_slow(rate, seen, away):
    """A source may send nothing while no hand is in view."""
    visits = [steady(rate, seen, start) for start in np.arange(8) * (seen + away)]
    assert notices(stamps(*visits)) == []


@pytest.mark.parametrize("gap", [0.4, 2.0])
def test_a_single_gap_neither_hides_nor_makes_slowness(gap):
    for rate, count in ((7.0, 1), (9.0, 0)):
        times = stamps(steady(rate, 12), steady(rate, 12, 12 + gap))
        assert len(notices(times)) == count


@pytest.mark.parametrize(("rate", "count"), [(5.0, 1), (7.0, 1), (9.5, 0), (30.0, 0)])
@pytest.mark.parametrize("jitter", [0.2, 0.8])
def test_jitter_changes_nothing(rate, count, jitter):
    rng = np.random.default_rng(0)
    times = steady(rate, 300)
    times += jitter * rng.uniform(-0.5, 0.5, len(times)) / rate
    assert len(notices(stamps(times))) == count


@pytest.mark.parametrize(
    ("frames", "period", "count"), [(10, 0.33, 0), (3, 0.3, 0), (2, 0.31, 1), (2, 0.9, 1)]
)
def test_bursts_count_by_their_mean(frames, period, count):
    bursts = [start + np.arange(frames) * 0.01 for start in np.arange(200) * period]
    assert len(notices(stamps(*bursts))) == count


def test_a_stream_that_recovers_and_falls_again_is_noticed_again():
    times = stamps(steady(5, 20), steady(30, 20, 20.2), steady(5, 20, 40.4), steady(5, 20, 60.6))
    first, second = notices(times)
    assert first == pytest.approx(5)
    assert 40 < second < 51


def test_a_rate_around_the_limit_is_noticed_once():
    parts, start = [], 0.0
    for turn in range(20):
        parts.append(steady(7.8 if turn % 2 else 8.2, 10, start))
        start = parts[-1][-1] + 0.125
    assert len(notices(stamps(*parts))) == 1


def test_clock_jumps_and_short_streams_are_measured_together():
    monitor = FrameRateMonitor()
    loops = [steady(5, 2) + 1000 * (loop % 2) for loop in range(5)]
    (moment,) = notices(stamps(*loops), monitor)
    assert monitor.rate == pytest.approx(5)
    assert moment < 2


def test_late_and_repeated_frames_do_not_count():
    times = np.repeat(stamps(steady(5, 20)), 4)
    times[1::4] -= SECOND // 2
    times[3::4] += 1000
    monitor = FrameRateMonitor()
    assert len(notices(times, monitor)) == 1
    assert monitor.rate == pytest.approx(5)


@pytest.mark.parametrize(
    ("times", "rate"),
    [
        (steady(5, 1.2), 5.0),
        (steady(5, 30), 5.0),
        (steady(30, 1.2), 0.0),
        (steady(5, 0.6), 0.0),
        (np.empty(0), 0.0),
        (np.concatenate([steady(30, 20), steady(6, 20, 20.1), steady(30, 20, 40.2)]), 6.0),
    ],
)
def test_a_recording_has_its_lowest_rate(times, rate):
    assert slow_rate(stamps(times)) == pytest.approx(rate)


def test_slow_recordings_are_named_in_one_line():
    rates = {f"take{number}": 5.0 - number / 10 for number in range(12)} | {"fast": 0.0}
    text = describe_slow(rates)
    assert "take0 (5.0), take1 (4.9), " in text
    assert "take9 (4.1) and 2 more; at least 8 are needed: " in text
    assert "take10" not in text
    assert "fast" not in text
    assert describe_slow({"fast": 0.0}) == ""
