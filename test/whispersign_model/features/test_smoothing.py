# SPDX-License-Identifier: MIT
"""Smoothing filters: their published formula, their causality, and hands that come and go."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whispersign_model.errors import RecipeError
from whispersign_model.features.recipe import Smoothing
from whispersign_model.features.smoothing import MovingAverageSmoothing, Smoother
from whispersign_model.recordings.recording import Recording
from whispersign_model.skeleton import LEFT, RIGHT

SECOND = 1_000_000_000
MS = 1_000_000
KINDS = [
    Smoothing(kind="one_euro"),
    Smoothing(kind="moving_average", window_size=5),
    Smoothing(kind="moving_average", window_size=1),
    Smoothing(kind="none"),
]
Make = Callable[..., Recording]


def one_euro(values: list[float], seconds: list[float], options: Smoothing) -> list[float]:
    """Algorithm 1 of the paper, one coordinate, as plainly as it can be written."""
    smooth: list[float] = []
    speed = 0.0
    for index, value in enumerate(values):
        if not index:
            smooth.append(value)
            continue
        step = seconds[index] - seconds[index - 1]

        def factor(cutoff: float, step: float = step) -> float:
            return 1 / (1 + 1 / (2 * math.pi * cutoff) / step)

        slope = (value - smooth[-1]) / step
        speed += factor(options.d_cutoff) * (slope - speed)
        share = factor(options.min_cutoff + options.beta * abs(speed))
        smooth.append(share * value + (1 - share) * smooth[-1])
    return smooth


def noisy(recording: Recording, size: float = 0.002) -> Recording:
    noise = np.random.default_rng(0).normal(0, size, recording.positions.shape)
    positions = (recording.positions + noise).astype(np.float32)
    return Recording(recording.stamps, positions, recording.confidence)


def test_one_euro_is_the_published_algorithm_at_uneven_stamps(make: Make) -> None:
    options = Smoothing(kind="one_euro", min_cutoff=1.3, beta=7.0, d_cutoff=2.0)
    steps = np.random.default_rng(1).uniform(0.005, 0.05, 50)
    recording = noisy(make((np.cumsum(steps) * SECOND).astype(np.int64)))
    smooth = Smoother(options).smooth(recording)
    seconds = [stamp / SECOND for stamp in recording.stamps.tolist()]
    for joint, axis in [(0, 0), (9, 1), (41, 2)]:
        expected = one_euro(recording.positions[:, joint, axis].tolist(), seconds, options)
        np.testing.assert_allclose(smooth.positions[:, joint, axis], expected, atol=1e-6)


def test_moving_average_is_the_mean_of_the_last_frames(make: Make, steady: Callable) -> None:
    recording = noisy(make(steady(20, 60)))
    smooth = Smoother(Smoothing(kind="moving_average", window_size=4)).smooth(recording)
    for frame in range(20):
        expected = recording.positions[max(0, frame - 3) : frame + 1].mean(axis=0)
        np.testing.assert_allclose(smooth.positions[frame], expected, atol=1e-6)


@pytest.mark.parametrize("smoothing", KINDS[:2])
@pytest.mark.parametrize("rate", [30, 120])
def test_a_hand_at_rest_gets_calmer_and_stays_where_it_is(
    make: Make, steady: Callable, smoothing: Smoothing, rate: int
) -> None:
    recording = make(steady(2 * rate, rate))
    still = np.repeat(recording.positions[:1], len(recording), axis=0)
    shaky = noisy(Recording(recording.stamps, still, recording.confidence), 0.001)
    smooth = Smoother(smoothing).smooth(shaky).positions
    finalized = slice(rate // 2, None)
    before = np.sqrt(np.square(shaky.positions - still)[finalized].mean())
    after = np.sqrt(np.square(smooth - still)[finalized].mean())
    assert after < 0.7 * before
    np.testing.assert_array_equal(smooth[0], shaky.positions[0])


def test_one_euro_follows_a_moving_hand(make: Make, steady: Callable) -> None:
    for rate in (30, 120):
        recording = make(steady(2 * rate, rate))
        smooth = Smoother(Smoothing()).smooth(recording).positions
        error = np.linalg.norm(smooth - recording.positions, axis=-1)
        assert error.max() < 0.02  # of a movement of 0.2 m to and fro


@pytest.mark.parametrize("smoothing", KINDS)
def test_a_hand_that_is_not_tracked_stays_so_and_starts_afresh_after_a_gap(
    make: Make, steady: Callable, smoothing: Smoothing
) -> None:
    tracked = np.ones((60, 2), dtype=bool)
    tracked[20:40, 0] = False
    tracked[30, 1] = False
    stamps = steady(60, 60)
    both = noisy(make(stamps))
    recording = noisy(make(stamps, tracked))
    kept = np.repeat(tracked, 21, axis=1)[..., None]
    recording = Recording(stamps, recording.positions * kept, recording.confidence)
    smooth = Smoother(smoothing).smooth(recording)
    assert not smooth.positions[20:40, LEFT].any()
    assert not smooth.positions[30, RIGHT].any()
    np.testing.assert_array_equal(smooth.confidence, recording.confidence)
    np.testing.assert_array_equal(smooth.positions[40, LEFT], recording.positions[40, LEFT])
    undisturbed = Smoother(smoothing).smooth(both)
    np.testing.assert_array_equal(smooth.positions[:20], undisturbed.positions[:20])
    assert np.abs(smooth.positions[31, RIGHT] - undisturbed.positions[31, RIGHT]).max() < 0.02
    if smoothing.name not in ("", "moving_average(1)"):  # one lost frame is no new start
        assert (smooth.positions[31, RIGHT] != recording.positions[31, RIGHT]).any()


@pytest.mark.parametrize("smoothing", KINDS)
def test_the_future_changes_nothing(make: Make, steady: Callable, smoothing: Smoothing) -> None:
    recording = noisy(make(steady(40, 60)))
    changed = recording.positions.copy()
    changed[25:] += 1
    one = Smoother(smoothing).smooth(recording).positions
    other = Smoother(smoothing).smooth(Recording(recording.stamps, changed, recording.confidence))
    np.testing.assert_array_equal(one[:25], other.positions[:25])


@given(seed=st.integers(0, 2**32 - 1), smoothing=st.sampled_from(KINDS))
@settings(max_examples=60, deadline=None)
def test_frame_by_frame_is_the_same_as_whole(
    messy: Callable, seed: int, smoothing: Smoothing
) -> None:
    recording = messy(seed)
    whole = Smoother(smoothing)
    smooth = whole.smooth(recording)
    live = Smoother(smoothing)
    pushed = [
        live.push(int(stamp), positions, confidence)
        for stamp, positions, confidence in zip(
            recording.stamps, recording.positions, recording.confidence
        )
    ]
    kept = [frame for frame in pushed if frame is not None]
    assert len(kept) == len(smooth)
    if kept:
        np.testing.assert_allclose(np.stack(kept), smooth.positions, rtol=0, atol=1e-6)
        assert smooth.positions.dtype == np.stack(kept).dtype == np.float32
    assert np.isfinite(smooth.positions).all()
    assert (live.out_of_order, live.jumps) == (whole.out_of_order, whole.jumps)
    assert live.out_of_order == len(recording) - len(kept)


def test_late_and_repeated_frames_are_dropped_and_a_jump_starts_afresh(
    make: Make, steady: Callable
) -> None:
    stamps = steady(6, 50)
    stamps[3] = stamps[2]
    stamps[4] = stamps[2] - MS
    stamps[5] += 10 * SECOND
    recording = noisy(make(stamps), 0.05)
    smoother = Smoother(Smoothing(kind="moving_average", window_size=3))
    smooth = smoother.smooth(recording)
    assert smooth.stamps.tolist() == stamps[[0, 1, 2, 5]].tolist()
    np.testing.assert_array_equal(smooth.positions[3], recording.positions[5])
    assert (smoother.out_of_order, smoother.jumps) == (2, 1)


def test_after_a_reset_the_next_frame_passes_unchanged(make: Make, steady: Callable) -> None:
    recording = noisy(make(steady(3, 60)), 0.05)
    smoother = Smoother(Smoothing())
    frames = list(zip(recording.stamps.tolist(), recording.positions, recording.confidence))
    smoother.push(*frames[0])
    assert (smoother.push(*frames[1]) != recording.positions[1]).any()
    smoother.reset()
    np.testing.assert_array_equal(smoother.push(*frames[2]), recording.positions[2])


def test_the_recording_says_how_it_was_smoothed_and_is_not_smoothed_twice(
    make: Make, steady: Callable
) -> None:
    smoother = Smoother(Smoothing(kind="moving_average", window_size=3))
    smooth = smoother.smooth(make(steady(3, 60), name="take-4"))
    assert smooth.smoothing == "moving_average(3)"
    assert smooth.name == "take-4"
    with pytest.raises(RecipeError, match=r"take-4: is already smoothed by moving_average\(3\)"):
        smoother.smooth(smooth)


def test_positions_that_are_not_finite_are_not_tracked(make: Make, steady: Callable) -> None:
    recording = make(steady(1, 60))
    positions = recording.positions[0].copy()
    positions[4] = np.nan
    positions[RIGHT.start + 7, 1] = np.inf
    smooth = Smoother(Smoothing()).push(0, positions, recording.confidence[0])
    assert smooth is not None
    assert np.isfinite(smooth).all()
    assert not smooth[[4, RIGHT.start + 7]].any()


def seed_style_frames(frames: int = 40) -> np.ndarray:
    rng = np.random.default_rng(3)
    array = rng.normal(0, 1, (frames, 42, 7)).astype(np.float32)
    array[..., 6] = rng.random((frames, 42)) > 0.1
    array[12:30, LEFT, 6] = 0
    array[array[..., 6] == 0] = 0
    return array


def test_moving_average_smoothing_takes_whole_arrays_and_single_frames() -> None:
    frames = seed_style_frames()
    smoother = MovingAverageSmoothing(window_size=5)
    smooth = smoother.smooth(frames)
    assert smooth.shape == frames.shape
    np.testing.assert_array_equal(smooth[..., 6], frames[..., 6])
    for joint in (RIGHT.start, RIGHT.stop - 1):
        rows = [row for row in range(16, 21) if frames[row, joint, 6]]
        if frames[20, joint, 6]:
            expected = frames[rows, joint, :6].mean(axis=0)
            np.testing.assert_allclose(smooth[20, joint, :6], expected, atol=1e-6)
    assert not smooth[12:30, LEFT].any()
    np.testing.assert_array_equal(smooth[30, LEFT], frames[30, LEFT])
    pushed = np.stack([smoother.push(frame) for frame in frames])
    np.testing.assert_allclose(pushed, smooth, rtol=0, atol=1e-6)
    smoother.reset()
    np.testing.assert_array_equal(smoother.push(frames[5]), frames[5])


def test_moving_average_smoothing_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(T, 42, 7\)"):
        MovingAverageSmoothing().smooth(np.zeros((10, 21, 7), dtype=np.float32))
