# SPDX-License-Identifier: MIT
"""The base as seen from outside: when it moves, when it is still, and when a stop reached it."""

from __future__ import annotations

import math
import random

import pytest

from reliability.robot import BASE_TIMEOUT, Robot, Tail, Velocity, velocity
from whispersign_ros.simulation.unicycle import Unicycle


def _robot(*commands, **options):
    return Robot(commands=[Velocity(time, linear, 0.0) for time, linear in commands], **options)


def test_a_base_moves_until_a_stop_or_its_time_out():
    robot = _robot((1.0, 0.2), (1.1, 0.2), (1.2, 0.0), (2.0, 0.2))
    assert robot.moving(0.0, 9.0) == [(1.0, 1.1), (1.1, 1.2), (2.0, 2.0 + BASE_TIMEOUT)]


def test_it_is_still_from_the_last_motion_on_until_the_end_of_the_watch():
    robot = _robot((1.0, 0.2), (1.3, 0.0), (2.0, 0.2))
    assert robot.still_from(1.1, 1.9) == 1.3
    assert robot.still_from(1.1, 9.0) == 2.0 + BASE_TIMEOUT  # it moved once more
    assert robot.still_from(1.4, 1.9) == 1.4  # it was still at once
    assert robot.still_from(1.1, 2.1) == math.inf  # it moves at the end of the watch


def test_motion_that_ends_with_the_watch_is_no_standstill():
    assert _robot((1.0, 0.2)).still_from(0.9, 1.5) == math.inf


def test_turning_is_motion_and_so_is_a_velocity_that_is_no_number():
    assert Velocity(0.0, 0.0, 0.1).moves
    assert Velocity(0.0, math.nan, 0.0).moves
    assert not Velocity(0.0, 0.0, -0.0).moves


def test_a_base_without_a_time_out_needs_the_stop():
    assert _robot((1.0, 0.2), timeout=math.inf).still_from(1.0, 100.0) == math.inf
    assert _robot((1.0, 0.2), (1.4, 0.0), timeout=math.inf).still_from(1.0, 100.0) == 1.4


def test_the_first_motion_and_the_first_stop_after_a_moment():
    robot = _robot((1.0, 0.2), (1.2, 0.0), (1.4, 0.2))
    assert robot.first_motion(1.1) == 1.4
    assert robot.first_motion(1.5) is None
    assert robot.first_zero(1.1) == 1.2
    assert robot.first_zero(1.3) == math.inf


def test_it_moves_exactly_when_the_simulated_robot_does():
    draw = random.Random(1)
    times = sorted(draw.uniform(0.0, 20.0) for _ in range(60))
    robot = _robot(*((time, draw.choice((0.0, 0.2))) for time in times))
    unicycle = Unicycle(BASE_TIMEOUT, 0.0)
    for command in robot.commands:
        unicycle.command(command.linear, command.angular, command.time)
    unicycle.advance(21.0)
    driven = sum(stop - start for start, stop in robot.moving(0.0, 21.0)) * 0.2
    assert unicycle.between(0.0, 21.0)[0] == pytest.approx(driven)


def test_a_tail_reads_whole_lines_once(tmp_path):
    found = []
    file = tmp_path / "lines"
    tail = Tail(file, found.append)
    tail.read()  # not there yet
    file.write_text("1.0 0.2 0.0\n2.0 0")
    tail.read()
    assert found == [["1.0", "0.2", "0.0"]]
    with file.open("a") as more:
        more.write(".0 0.0\n")
    tail.read()
    assert [velocity(words) for words in found[1:]] == [Velocity(2.0, 0.0, 0.0)]
