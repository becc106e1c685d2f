# SPDX-License-Identifier: MIT
"""Resampling: the grid, the curve between frames, gaps, and when a grid point is given out."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whispersign_model.features.recipe import SensorRecipe
from whispersign_model.features.resampling import GapLimit, Grid, Resampled, Resampler
from whispersign_model.recordings.recording import Recording
from whispersign_model.skeleton import JOINTS, LEFT, RIGHT

SECOND = 1_000_000_000
MS = 1_000_000
RECIPE = SensorRecipe()
GAP = 100 * MS
Make = Callable[..., Recording]


def resample(recording: Recording, recipe: SensorRecipe = RECIPE) -> Resampled:
    return in_pieces(recording, [slice(None)], recipe)[0]


def in_pieces(
    recording: Recording, pieces: list[slice], recipe: SensorRecipe = RECIPE
) -> tuple[Resampled, list[int]]:
    """Return everything given out, and how much of it after each piece."""
    resampler = Resampler(recipe)
    parts = [
        resampler.push(recording.stamps[p], recording.positions[p], recording.confidence[p])
        for p in pieces
    ]
    given_out = np.cumsum([len(part[0]) for part in parts]).tolist()
    parts.append(resampler.flush())
    stamps, positions, confidence = (np.concatenate(arrays) for arrays in zip(*parts))
    return (stamps, positions, confidence), given_out


def increasing(recording: Recording) -> Recording:
    """Return the frames whose stamps increase by at least 1 ns."""
    _, first = np.unique(np.maximum.accumulate(recording.stamps), return_index=True)
    return Recording(
        recording.stamps[first], recording.positions[first], recording.confidence[first]
    )


@pytest.mark.parametrize("rate", [60.0, 30.0, 59.94, 64.0])
def test_the_grid_does_not_drift(rate: float) -> None:
    exact = Fraction(rate).limit_denominator(1000)
    grid = Grid(rate)
    for k in [0, 1, 2, 3, 59, 60, 1000, 10**7 + 1]:
        assert abs(int(grid.offset(np.array([k]))[0]) - k * SECOND / exact) <= Fraction(1, 2)


def test_the_grid_ends_on_its_limit() -> None:
    grid = Grid(60.0)
    for k in [1, 2, 3, 100, 10**6]:
        time = int(grid.offset(np.array([k]))[0])
        assert grid.until(k - 1, time).tolist() == [k - 1, k]
        assert grid.until(k - 1, time - 1).tolist() == [k - 1]
        assert grid.until(k + 1, time).tolist() == []


@pytest.mark.parametrize("rate", [20, 24, 30, 48.3, 60, 90, 115, 120, 200])
@pytest.mark.parametrize("frames", [1, 2, 3, 17, 61])
def test_first_and_last_frames_are_kept(
    make: Make, steady: Callable, rate: float, frames: int
) -> None:
    recording = make(steady(frames, rate))
    stamps, _, confidence = resample(recording)
    span = int(recording.stamps[-1] - recording.stamps[0])
    assert stamps[0] == recording.stamps[0]
    assert len(stamps) == (span + 1) * 60 // SECOND + 1
    assert stamps[-1] > recording.stamps[-1] - SECOND / 60
    assert (confidence > 0).all()


def test_stamps_cut_off_to_whole_nanoseconds_keep_their_last_frame(make: Make) -> None:
    cut = 1_700_000_000 * SECOND + np.arange(32) * SECOND // 60
    recording = make(cut)
    stamps, positions, _ = resample(recording)
    assert len(stamps) == 32
    assert stamps[-1] == cut[-1] + 1
    np.testing.assert_array_equal(positions, recording.positions)


def test_no_frames_give_nothing() -> None:
    resampler = Resampler(RECIPE)
    empty = np.empty((0, JOINTS, 3), np.float32)
    for part in (resampler.push(np.empty(0, np.int64), empty, empty[..., 0]), resampler.flush()):
        assert [array.shape for array in part] == [(0,), (0, JOINTS, 3), (0, JOINTS)]


def test_frames_on_the_grid_come_back_as_they_are(make: Make, steady: Callable) -> None:
    recording = make(steady(50, 60))
    stamps, positions, confidence = resample(recording)
    np.testing.assert_array_equal(stamps, recording.stamps)
    np.testing.assert_array_equal(positions, recording.positions)
    np.testing.assert_array_equal(confidence, recording.confidence)
    assert (positions.dtype, confidence.dtype) == (np.float32, np.float32)


def test_a_parabola_is_reproduced_from_uneven_frames(make: Make) -> None:
    rng = np.random.default_rng(5)
    stamps = np.cumsum(rng.integers(15 * MS, 40 * MS, 60))
    seconds = (stamps - stamps[0])[:, None, None] / SECOND
    factor = np.linspace(-1, 1, JOINTS * 3).reshape(JOINTS, 3)
    shape = make(stamps)
    curve = (0.3 + 3 * seconds + factor * np.square(seconds)).astype(np.float32)
    times, positions, _ = resample(Recording(stamps, curve, shape.confidence))
    at = (times - stamps[0])[:, None, None] / SECOND
    inner = (times > stamps[1]) & (times < stamps[-2])
    expected = 0.3 + 3 * at + factor * np.square(at)
    np.testing.assert_allclose(positions[inner], expected[inner], atol=5e-6)
    ends = np.abs(positions - expected)[~inner]
    assert ends.max() < 5e-4  # the chord, where there is no next frame


def test_a_cubic_is_closer_to_the_hand_than_straight_lines(make: Make, steady: Callable) -> None:
    recording = make(steady(60, 20))
    truth = make(steady(175, 60))
    times, positions, _ = resample(recording)
    straight = np.stack(
        [
            np.interp(times - times[0], recording.stamps - times[0], recording.positions[:, j, c])
            for j in range(JOINTS)
            for c in range(3)
        ],
        axis=1,
    ).reshape(-1, JOINTS, 3)
    inner = slice(4, 170)
    curved = np.abs(positions[inner] - truth.positions[inner]).max()
    assert curved < 0.25 * np.abs(straight[inner] - truth.positions[inner]).max()


def test_confidence_is_linear_between_frames(make: Make) -> None:
    stamps = np.array([0, 50 * MS, 100 * MS])
    recording = make(stamps)
    confidence = np.full((3, JOINTS), 0.2, np.float32)
    confidence[1] = 0.8
    times, _, resampled = resample(Recording(stamps, recording.positions, confidence))
    expected = np.interp(times, stamps, confidence[:, 0])
    np.testing.assert_allclose(resampled[:, 5], expected, atol=1e-6)


def test_short_gaps_are_bridged_and_long_ones_stay_absent(make: Make) -> None:
    before = np.arange(0, 201, 20) * MS
    for gap, bridged in [(100, True), (101, False)]:
        stamps = np.concatenate([before, before + (200 + gap) * MS])
        times, positions, confidence = resample(make(stamps))
        inside = (times > 200 * MS) & (times < (200 + gap) * MS)
        assert inside.sum() >= 5
        assert (confidence[inside] > 0).all() == bridged
        assert (confidence[inside] > 0).any() == bridged
        assert (positions[inside] != 0).any() == bridged
        assert (confidence[~inside] > 0).all()


@pytest.mark.parametrize("rate", [8, 10, 12, 15, 20, 30, 60, 120])
def test_a_camera_of_any_rate_keeps_its_hands(make: Make, steady: Callable, rate: int) -> None:
    jitter = np.random.default_rng(0).uniform(-0.05, 0.05, 5 * rate) * SECOND / rate
    recording = make(steady(5 * rate, rate) + jitter.astype(np.int64))

    def without(first: int, last: int) -> Recording:
        kept = np.delete(np.arange(5 * rate), slice(first, last))
        fields = recording.stamps, recording.positions, recording.confidence
        return Recording(*(field[kept] for field in fields))

    assert resample(without(2 * rate, 2 * rate + 1))[2].all(), "one picture is missing"
    assert not resample(without(2 * rate, 2 * rate + rate // 2))[2].all(), "half a second is"


def test_the_gap_limit_follows_the_rate_of_the_stream() -> None:
    limit = GapLimit(0.1)
    assert limit(np.array([0])).tolist() == [0.3 * SECOND]
    slow = limit(np.arange(1, 30) * SECOND // 10)
    assert slow.tolist() == pytest.approx([0.22 * SECOND] * 29)
    fast = limit(int(2.9 * SECOND) + np.arange(1, 30) * SECOND // 60)
    assert fast[3] == pytest.approx(0.22 * SECOND)
    assert fast[4:].tolist() == [0.1 * SECOND] * 25
    assert limit(np.array([60 * SECOND])).tolist() == [0.1 * SECOND], "one pause is no slow stream"
    limit.reset()
    assert limit(np.array([0, 2]) * SECOND).tolist() == [0.3 * SECOND] * 2


def test_each_hand_has_its_own_gaps(make: Make, steady: Callable) -> None:
    tracked = np.ones((120, 2), dtype=bool)
    tracked[30:36, 0] = False  # 50 ms with the frames around it 58 ms apart
    tracked[60:90, 0] = False
    recording = make(steady(120, 120), tracked)
    times, positions, confidence = resample(recording)
    _, alone, _ = resample(make(steady(120, 120)))
    np.testing.assert_allclose(positions[:, RIGHT], alone[:, RIGHT], atol=1e-7)
    assert (confidence[:, RIGHT] > 0).all()
    lost = (times > recording.stamps[59]) & (times < recording.stamps[90])
    assert not confidence[lost][:, LEFT].any()
    assert not positions[lost][:, LEFT].any()
    assert (confidence[~lost][:, LEFT] > 0).all()
    assert np.abs(positions[~lost] - alone[~lost]).max() < 0.005


def test_a_joint_is_tracked_where_both_frames_around_track_it(make: Make, steady: Callable) -> None:
    recording = make(steady(80, 115))
    confidence = recording.confidence.copy()
    confidence[10:80:10, 7] = 0
    positions = recording.positions * (confidence > 0)[..., None]
    times, resampled, trust = resample(Recording(recording.stamps, positions, confidence))
    lost = recording.stamps[confidence[:, 7] == 0]
    near = (np.abs(times[:, None] - lost) < SECOND / 115 - 2000).any(axis=1)
    assert near.sum() >= 6
    np.testing.assert_array_equal(trust[:, 7] > 0, ~near)
    assert np.abs(resampled[~near, 7] - resample(recording)[1][~near, 7]).max() < 1e-3
    assert (np.delete(trust, 7, axis=1) > 0).all()


def test_joints_of_a_hand_without_its_wrist_bend_nothing(make: Make, steady: Callable) -> None:
    recording = make(steady(40, 50))
    confidence = recording.confidence.copy()
    confidence[10:20, LEFT.start] = 0
    moved = recording.positions.copy()
    moved[10:20] += 1
    for piece in (slice(0, 40), slice(15, 40)):
        one, other = (
            resample(Recording(recording.stamps[piece], positions[piece], confidence[piece]))
            for positions in (recording.positions, moved)
        )
        np.testing.assert_array_equal(one[1][:, LEFT], other[1][:, LEFT])


def test_what_lies_beyond_a_gap_bends_nothing(make: Make, steady: Callable) -> None:
    stamps = steady(20, 50)
    stamps[10:] += 101 * MS
    recording = make(stamps)
    moved = recording.positions.copy()
    moved[10:] += 1
    times, one, _ = resample(recording)
    _, other, _ = resample(Recording(stamps, moved, recording.confidence))
    before = times < stamps[9]
    np.testing.assert_array_equal(one[before], other[before])
    np.testing.assert_allclose(one[~before] + (other[~before] != 0), other[~before], atol=1e-6)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_the_curve_never_leaves_its_chord_by_more_than_the_chord(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = rng.choice([1, 10_000, MS, 10 * MS, 90 * MS], 40)
    stamps = np.cumsum(steps)
    positions = rng.normal(0, rng.choice([0.001, 1, 1000]), (40, JOINTS, 3)).astype(np.float32)
    recording = Recording(stamps, positions, np.ones((40, JOINTS), np.float32))
    times, resampled, _ = resample(recording)
    at = np.clip(np.searchsorted(stamps, times + 1000, side="right") - 1, 0, 38)
    share = ((times - stamps[at]) / (stamps[at + 1] - stamps[at]))[:, None, None]
    chord = positions[at + 1] - positions[at]
    away = resampled - (positions[at] + share * chord)
    length = np.linalg.norm(chord, axis=-1)
    assert (np.linalg.norm(away, axis=-1) <= length * 1.001 + 1e-6 * np.abs(positions).max()).all()


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_any_split_gives_the_same_at_the_same_moment(
    messy: Callable, cuts: Callable, seed: int
) -> None:
    recording = increasing(messy(seed))
    singly = [slice(row, row + 1) for row in range(len(recording))]
    whole, after_frame = in_pieces(recording, singly)
    pieces = cuts(len(recording), seed)
    split, after_piece = in_pieces(recording, pieces)
    np.testing.assert_array_equal(split[0], whole[0])
    np.testing.assert_allclose(split[1], whole[1], rtol=0, atol=1e-6)
    np.testing.assert_allclose(split[2], whole[2], rtol=0, atol=1e-6)
    assert after_piece == [after_frame[p.stop - 1] if p.stop else 0 for p in pieces]


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_no_grid_point_waits_longer_than_the_look_ahead(messy: Callable, seed: int) -> None:
    recording = increasing(messy(seed))
    steps = np.minimum(np.diff(recording.stamps, prepend=0), GAP)
    stamps = np.cumsum(steps)
    resampler = Resampler(RECIPE)
    following = 0
    for stamp, positions, confidence in zip(stamps, recording.positions, recording.confidence):
        times, _, _ = resampler.push(stamp[None], positions[None], confidence[None])
        assert (stamp - times <= resampler.look_ahead * SECOND).all()
        following += len(times)
        pending = stamps[0] + following * SECOND / 60
        assert stamp - pending <= resampler.look_ahead * SECOND


def test_steady_frames_are_given_out_after_two_periods(make: Make, steady: Callable) -> None:
    for rate in (30, 50, 120):
        recording = make(steady(100, rate), np.array([[True, False]] * 100))
        resampler = Resampler(RECIPE)
        waits = []
        for row, stamp in enumerate(recording.stamps):
            piece = slice(row, row + 1)
            times, _, _ = resampler.push(
                recording.stamps[piece], recording.positions[piece], recording.confidence[piece]
            )
            waits += (stamp - times).tolist()
        assert len(waits) > 100 / rate * 60 - 5
        assert max(waits) <= 2 * SECOND / rate + 1000


def test_a_vanished_hand_delays_until_max_gap_has_passed_and_not_after(
    make: Make, steady: Callable
) -> None:
    tracked = np.ones((100, 2), dtype=bool)
    tracked[50:, 0] = False
    recording = make(steady(100, 100), tracked)
    resampler = Resampler(RECIPE)
    given_out = {}
    for row in range(100):
        piece = slice(row, row + 1)
        times, _, _ = resampler.push(
            recording.stamps[piece], recording.positions[piece], recording.confidence[piece]
        )
        given_out.update({int(time): row for time in times})
    last = recording.stamps[49]
    undecided = [row for time, row in given_out.items() if last < time <= last + GAP]
    assert set(undecided) == {60}  # the first frame more than max_gap later
    later = {time: row for time, row in given_out.items() if time > last + GAP + 10 * MS}
    assert all(recording.stamps[row] - time <= 20 * MS + 1000 for time, row in later.items())
    earlier = [row for time, row in given_out.items() if time < recording.stamps[49]]
    assert max(earlier) == 50  # the interval before the loss waits for no more than usual


def test_stamps_that_do_not_increase_are_refused(make: Make, steady: Callable) -> None:
    recording = make(steady(3, 60))
    resampler = Resampler(RECIPE)
    resampler.push(recording.stamps, recording.positions, recording.confidence)
    with pytest.raises(ValueError, match="increase"):
        resampler.push(recording.stamps[2:], recording.positions[2:], recording.confidence[2:])


def test_memory_does_not_grow_with_the_stream(make: Make, steady: Callable) -> None:
    resampler = Resampler(RECIPE)
    tracked = np.ones((1200, 2), dtype=bool)
    tracked[300:900, 1] = False
    tracked[500:700, 0] = False
    recording = make(steady(1200, 120), tracked)
    for row in range(1200):
        piece = slice(row, row + 1)
        resampler.push(
            recording.stamps[piece], recording.positions[piece], recording.confidence[piece]
        )
        assert len(resampler._stamps) <= 90
