# SPDX-License-Identifier: MIT
"""A robot that moves exactly as it is told, and stops when it is told nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from whispersign_ros.simulation.unicycle import Pose, Unicycle


def _where(pose):
    return pytest.approx((pose.x, pose.y, pose.heading))


def test_straight_ahead_and_back():
    robot = Unicycle(timeout=10.0, now=100.0)
    robot.command(0.2, 0.0, 101.0)
    assert _where(robot.advance(103.0)) == (0.4, 0.0, 0.0)
    robot.command(-0.1, 0.0, 103.0)
    assert _where(robot.advance(104.0)) == (0.3, 0.0, 0.0)


def test_turning_is_anticlockwise_and_changes_where_ahead_is():
    robot = Unicycle(timeout=10.0, now=0.0)
    robot.command(0.0, math.pi / 2, 0.0)
    robot.command(1.0, 0.0, 1.0)
    assert (0.0, 1.0, math.pi / 2) == _where(robot.advance(2.0))


def test_an_arc_is_exact_however_often_one_looks():
    once, often = Unicycle(10.0, 0.0), Unicycle(10.0, 0.0)
    for robot in (once, often):
        robot.command(0.5, 1.0, 0.0)
    for now in np.linspace(0, 3, 301):
        often.advance(float(now))
    end = once.advance(3.0)
    assert (0.5 * math.sin(3), 0.5 * (1 - math.cos(3)), 3.0) == _where(end)
    assert (end.x, end.y, end.heading) == _where(often.pose)


def test_it_stops_by_itself_when_commands_fall_silent():
    robot = Unicycle(timeout=0.5, now=0.0)
    robot.command(1.0, 0.0, 1.0)
    assert robot.advance(10.0).x == pytest.approx(0.5)
    assert robot.advance(20.0).x == pytest.approx(0.5)
    assert not robot.stopped
    robot.command(0.0, 0.0, 21.0)
    assert robot.stopped
    assert robot.advance(22.0).x == pytest.approx(0.5)


def test_commands_in_time_go_on():
    robot = Unicycle(timeout=0.5, now=0.0)
    for tenth in range(20):
        robot.command(1.0, 0.0, tenth / 10)
    assert robot.advance(2.0).x == pytest.approx(2.0)


def test_what_was_done_between_two_times():
    robot = Unicycle(timeout=10.0, now=0.0)
    robot.command(1.0, 0.0, 0.0)
    robot.command(-0.5, 0.2, 2.0)
    robot.command(0.0, 0.0, 4.0)
    robot.advance(9.0)
    assert robot.between(0.0, math.inf) == pytest.approx((1.0, 0.4))
    assert robot.between(1.0, 3.0) == pytest.approx((0.5, 0.2))
    assert robot.between(5.0, 6.0) == (0.0, 0.0)
    assert robot.at(1.5).x == pytest.approx(1.5)
    assert robot.at(3.0).heading == pytest.approx(0.2)
    assert robot.at(50.0) == robot.pose
    assert robot.at(-1.0) == Pose()


def test_standing_takes_no_memory_and_a_long_way_not_more_than_allowed():
    robot = Unicycle(timeout=1.0, now=0.0, kept=100)
    for second in range(1000):
        robot.advance(float(second))
    assert len(robot.trajectory) < 5
    for second in range(1000, 2000):
        robot.command(1.0, 0.1, float(second))
    assert len(robot.trajectory) == 100
