# SPDX-License-Identifier: MIT
"""Bones on paper: only between joints that are tracked, on one scale."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from whispersign_model.skeleton import BONES, FINGERS, JOINTS
from whispersign_model.visualization.drawing import TILT, Viewport, draw_bones, seen


def test_a_bone_needs_both_its_ends():
    points = np.random.default_rng(0).normal(0, 1, (JOINTS, 2))
    tracked = np.ones(JOINTS, dtype=bool)
    tracked[list(FINGERS["index"][1:])] = False
    axes = Figure().subplots()
    draw_bones(axes, points, tracked, ("red", "blue"))
    left, right = (line.get_xydata().reshape(-1, 3, 2) for line in axes.lines)
    assert (len(left), len(right)) == (len(BONES) - 3, len(BONES))
    assert np.isnan(left[:, 2]).all()
    np.testing.assert_array_equal(right[0, :2], points[[21, 22]])
    assert [line.get_color() for line in axes.lines] == ["red", "blue"]


def test_metres_are_seen_from_a_little_above_and_pictures_as_they_are():
    away = np.array([[0.1, 0.0, -1.0]])
    np.testing.assert_allclose(seen(away, flat=False), [[0.1, np.sin(TILT)]])
    np.testing.assert_allclose(seen(np.array([[0.1, 0.4, 9.0]]), flat=True), [[0.1, -0.4]])


def test_a_window_holds_what_is_tracked():
    points = np.array([[0.0, 0.0], [2.0, 1.0], [50.0, 50.0]])
    window = Viewport.around(points, np.array([True, True, False]))
    assert (window.middle.tolist(), window.half_width) == ([1.0, 0.5], pytest.approx(1.1))
    assert Viewport.around(points, np.zeros(3, dtype=bool)).half_width == 1.0
