# SPDX-License-Identifier: MIT
"""Hands that cannot be hands: incomplete, collapsed, or faster than any wrist."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from whispersign_model.features.plausibility import SpeedGate, drop_incomplete
from whispersign_model.recordings.recording import Recording
from whispersign_model.skeleton import LEFT, MIDDLE_MCP, RIGHT, WRIST

SECOND = 1_000_000_000
Make = Callable[..., Recording]


def test_a_hand_without_its_wrist_is_not_tracked(make: Make, steady: Callable) -> None:
    recording = make(steady(3, 60))
    confidence = recording.confidence.copy()
    confidence[1, LEFT.start + WRIST] = 0
    positions, confidence = drop_incomplete(recording.positions, confidence)
    assert not confidence[1, LEFT].any()
    assert not positions[1, LEFT].any()
    assert confidence[1, RIGHT].all()
    assert confidence[[0, 2]].all()


def test_a_collapsed_hand_is_not_tracked(make: Make, steady: Callable) -> None:
    recording = make(steady(2, 60))
    positions, confidence = recording.positions.copy(), recording.confidence.copy()
    positions[1, RIGHT] = positions[1, RIGHT.start]
    _, kept = drop_incomplete(positions, confidence)
    assert not kept[1, RIGHT].any()
    assert kept[1, LEFT].all()
    confidence[1, RIGHT.start + MIDDLE_MCP] = 0  # its length is not known: it may be a hand
    _, kept = drop_incomplete(positions, confidence)
    assert kept[1, RIGHT.start]


def test_a_giant_hand_is_not_tracked(make: Make, steady: Callable) -> None:
    recording = make(steady(2, 60))
    positions = recording.positions.copy()
    positions[1, RIGHT.start + MIDDLE_MCP, 1] += 1.5
    _, kept = drop_incomplete(positions, recording.confidence)
    assert not kept[1, RIGHT].any()
    assert kept[1, LEFT].all()
    assert kept[0].all()


def test_a_spike_is_lost_and_its_neighbours_stay(make: Make, steady: Callable) -> None:
    recording = make(steady(20, 100))
    positions = recording.positions.copy()
    positions[8:10, RIGHT] += 2.5
    gate = SpeedGate(10.0, 0.1)
    kept_positions, confidence = gate(recording.stamps, positions, recording.confidence)
    lost = ~(confidence[:, RIGHT] > 0).all(axis=1)
    assert np.flatnonzero(lost).tolist() == [8, 9]
    assert not kept_positions[8:10, RIGHT].any()
    assert (confidence[:, LEFT] > 0).all()
    assert gate.rejected == 2


def test_a_hand_found_elsewhere_is_accepted_after_max_gap_at_most(
    make: Make, steady: Callable
) -> None:
    recording = make(steady(40, 100))
    for jump, lost in [(0.35, 3), (50.0, 10)]:
        positions = recording.positions.copy()
        positions[20:, LEFT] += [0, 0, jump]
        _, confidence = SpeedGate(10.0, 0.1)(recording.stamps, positions, recording.confidence)
        tracked = confidence[:, WRIST] > 0
        assert not tracked[20 : 20 + lost].any()
        assert tracked[:20].all()
        assert tracked[20 + lost :].all()


def test_without_a_limit_everything_passes(make: Make, steady: Callable) -> None:
    recording = make(steady(5, 100))
    positions = recording.positions + 100 * np.arange(5, dtype=np.float32)[:, None, None]
    _, confidence = SpeedGate(None, 0.1)(recording.stamps, positions, recording.confidence)
    assert confidence.all()


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_any_split_gives_the_same_and_no_kept_wrist_is_too_fast(
    messy: Callable, cuts: Callable, seed: int
) -> None:
    recording = messy(seed)
    _, first = np.unique(np.maximum.accumulate(recording.stamps), return_index=True)
    stamps = recording.stamps[first]
    positions, confidence = recording.positions[first], recording.confidence[first]
    whole = SpeedGate(5.0, 0.1)(stamps, positions, confidence)
    gate = SpeedGate(5.0, 0.1)
    parts = [gate(stamps[c], positions[c], confidence[c]) for c in cuts(len(stamps), seed)]
    for index in range(2):
        np.testing.assert_array_equal(np.concatenate([p[index] for p in parts]), whole[index])
    for wrist in (LEFT.start, RIGHT.start):
        rows = np.flatnonzero(whole[1][:, wrist])
        elapsed = np.diff(stamps[rows]) / SECOND
        speed = np.linalg.norm(np.diff(positions[rows, wrist], axis=0), axis=1) / elapsed
        assert (speed[elapsed <= 0.1] <= 5.0 + 1e-6).all()
