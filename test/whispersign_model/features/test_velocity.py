# SPDX-License-Identifier: MIT
"""Velocity by backward differences on the grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from whispersign_model.features.velocity import Differentiator, assemble
from whispersign_model.skeleton import CONFIDENCE, JOINTS, LEFT, POSITION, RIGHT, VELOCITY


def test_velocity_is_the_difference_to_the_frame_before(make: Callable, steady: Callable) -> None:
    recording = make(steady(20, 60))
    frames = assemble(recording.positions, recording.confidence)
    assert frames.shape == (20, JOINTS, 7)
    assert frames.dtype == np.float32
    expected = np.diff(recording.positions, axis=0) * 60
    np.testing.assert_allclose(frames[1:, :, VELOCITY], expected, atol=1e-6)
    assert not frames[0, :, VELOCITY].any()
    np.testing.assert_array_equal(frames[..., POSITION], recording.positions)
    np.testing.assert_array_equal(frames[..., CONFIDENCE], recording.confidence)
    np.testing.assert_allclose(
        assemble(recording.positions, recording.confidence, rate=30)[1:, :, VELOCITY],
        expected / 2,
        atol=1e-6,
    )


def test_a_hand_that_comes_back_has_no_velocity_in_its_first_frame(
    make: Callable, steady: Callable
) -> None:
    tracked = np.ones((20, 2), dtype=bool)
    tracked[8:12, 0] = False
    recording = make(steady(20, 60), tracked)
    frames = assemble(recording.positions, recording.confidence)
    assert not frames[8:12, LEFT].any()
    assert not frames[12, LEFT, VELOCITY].any()
    assert frames[12, LEFT, POSITION].any()
    assert frames[13, LEFT, VELOCITY].all()
    assert frames[1:, RIGHT, VELOCITY].all()


def test_what_confidence_masks_is_zero(make: Callable, steady: Callable) -> None:
    recording = make(steady(5, 60))
    confidence = recording.confidence.copy()
    confidence[2, 7] = 0
    frames = assemble(recording.positions, confidence)
    assert not frames[2, 7].any()
    assert not frames[3, 7, VELOCITY].any()
    assert frames[3, 7, POSITION].all()


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_any_split_gives_the_same(messy: Callable, cuts: Callable, seed: int) -> None:
    recording = messy(seed)
    whole = assemble(recording.positions, recording.confidence)
    differentiator = Differentiator(60.0)
    parts = [
        differentiator(recording.positions[piece], recording.confidence[piece])
        for piece in cuts(len(recording), seed)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
