# SPDX-License-Identifier: MIT
"""The plot of a robot's trajectory."""

from __future__ import annotations

import math

import pytest

from whispersign_model.errors import WhisperSignError
from whispersign_ros.demo.trajectory_plot import COLUMNS, ROWS, Mark, draw, text_map
from whispersign_ros.simulation.unicycle import Unicycle


@pytest.fixture
def corner():
    """Return the trajectory of 1 m ahead, a turn to the left and 0.5 m ahead, and its marks."""
    robot = Unicycle(timeout=10.0, now=0.0)
    marks = [Mark("GO", robot.pose, True)]
    robot.command(0.5, 0.0, 0.0)
    marks.append(Mark("LEFT", robot.advance(2.0), True))
    robot.command(0.0, math.pi / 2, 2.0)
    robot.command(0.5, 0.0, 3.0)
    marks.append(Mark("STOP", robot.advance(4.0), False))
    return list(robot.trajectory), marks


def test_the_map_is_seen_from_above(corner):
    way, marks = corner
    *lines, legend = text_map(way, marks)
    assert lines[0].strip() == "^"  # at the end, looking to the left of where it began
    assert lines[-1][0] == "1"
    assert lines[-1].rstrip()[-1] == "2"
    assert set(lines[-1][1:-1]) == {"."}
    assert all(line == " " * (len(lines[0]) - 1) + "." for line in lines[1:-1])
    assert len(lines[-1]) == COLUMNS
    assert len(lines) == pytest.approx(COLUMNS / 4, abs=1)  # half as long, cells twice as high
    assert legend == "a character is 2 cm wide and 3 cm high"


def test_it_fits_and_a_robot_that_stands_is_a_point():
    robot = Unicycle(timeout=10.0, now=0.0)
    assert text_map(list(robot.trajectory), [])[:-1] == [">"]
    robot.command(0.0, math.pi / 2, 0.0)
    robot.command(1.0, 0.0, 1.0)
    robot.advance(9.0)
    *lines, _ = text_map(list(robot.trajectory), [])
    assert len(lines) == ROWS
    assert lines[-1] == "o"


def test_the_picture_has_the_names(corner, tmp_path):
    pytest.importorskip("matplotlib")
    way, marks = corner
    draw(tmp_path / "way.svg", way, marks, "signs")
    drawn = (tmp_path / "way.svg").read_text()
    for name in ("GO", "LEFT", "STOP", "signs"):
        assert f"<!-- {name} -->" in drawn
    draw(tmp_path / "way.png", way, marks, "signs")
    assert (tmp_path / "way.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_written_is_one_line(corner, tmp_path):
    pytest.importorskip("matplotlib")
    for name in ("way.xyz", "none/way.png"):
        with pytest.raises(WhisperSignError, match="cannot be written"):
            draw(tmp_path / name, *corner, "signs")


def test_without_matplotlib_it_says_so(corner, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(WhisperSignError, match=r"'matplotlib.*' is missing"):
        draw(tmp_path / "way.png", *corner, "signs")
