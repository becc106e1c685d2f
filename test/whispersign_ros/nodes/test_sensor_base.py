# SPDX-License-Identifier: MIT
"""The time of a live sensor's frames, by clocks that go as they like."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from whispersign_model.recordings.recording import Coordinates
from whispersign_model.sensors.sensor import Observation
from whispersign_ros.nodes import sensor_base
from whispersign_ros.nodes.leap_node import LeapNode
from whispersign_ros.nodes.sensor_base import HostClock

SECOND = 10**9
FRAME = SECOND // 100
DELAY = 3_000_000  # nanoseconds from a frame's capture to its stamp


@pytest.fixture
def stamped(monkeypatch):
    """Stamp frames, 100 a second, by a clock that is a function of the host's time."""

    def stamps(clock, simulated, count=300):
        host = SimpleNamespace(now=50 * SECOND)
        monkeypatch.setattr(sensor_base.time, "monotonic_ns", lambda: host.now)
        converter = HostClock(lambda: clock(host.now), lambda: simulated)
        found = []
        for _ in range(count):
            host.now += FRAME
            found.append(converter.ros(host.now - DELAY))
        return np.array(found)

    return stamps


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_simulated_time_has_its_own_pace_and_no_frame_is_lost(stamped, factor):
    def clock(now):
        return int(now * factor) // FRAME * FRAME  # /clock comes 100 times a second

    stamps = stamped(clock, simulated=True)
    assert (np.diff(stamps) > 0).all()
    assert stamps[-1] - stamps[0] == pytest.approx(299 * FRAME * factor, abs=2 * FRAME)


def test_simulated_time_that_stands_still_is_hardly_left(stamped):
    stamps = stamped(lambda now: SECOND, simulated=True)
    assert (np.diff(stamps) > 0).all()
    assert stamps[-1] < 1.5 * SECOND


def test_simulated_time_may_step_back(stamped):
    stamps = stamped(lambda now: now if now < 52 * SECOND else now - 20 * SECOND, simulated=True)
    assert (np.diff(stamps) < -10 * SECOND).sum() == 1


def test_spacing_is_kept_until_the_clock_is_set(stamped):
    def clock(now):
        jitter = now // FRAME % 7 * 1_000_000
        return now + jitter + (0 if now < 52 * SECOND else SECOND // 4)

    steps = np.diff(stamped(clock, simulated=False))
    assert np.count_nonzero(steps != FRAME) == 1
    assert steps.max() == pytest.approx(FRAME + SECOND // 4, abs=10_000_000)


def test_a_slow_sensor_is_on_its_diagnostics_and_not_in_its_log(graph, capfd):
    node = graph.start(LeapNode, print, transport="websocket", autostart=False)
    node.sensor = SimpleNamespace(
        host_clock=False,
        coordinates=Coordinates.METRIC_SENSOR,
        source="leap",
        drops=dict,
        values=dict,
    )
    nothing = np.zeros((42, 3), np.float32), np.zeros(42, np.float32)
    for frame in range(40):
        node.observed(Observation(SECOND + frame * SECOND // 5, *nothing))
    assert node.diagnostics._warning.startswith("5.0 frames per second are too few")
    assert "frames per second" not in capfd.readouterr().err
    for frame in range(400):
        node.observed(Observation(10 * SECOND + frame * SECOND // 40, *nothing))
    assert node.diagnostics._warning == ""
