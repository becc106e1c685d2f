# SPDX-License-Identifier: MIT
"""Time alignment: one frame a period, in order; breaks in time are reported."""

from __future__ import annotations

import numpy as np
import pytest

from whispersign_model.decoding.endpoint import Endpoint
from whispersign_model.decoding.time_alignment import TimeAligner, interpolate_gap

PERIOD = 20_000_000  # nanoseconds


def frame(value, hands=True):
    features = np.full((42, 7), value, np.float32)
    features[:, 6] = hands
    return features


@pytest.fixture
def aligner():
    """Return an aligner that has taken a frame at 0."""
    aligner = TimeAligner(PERIOD, max_gap=0.5)
    assert stamps(aligner.push(frame(0.0), 0, fill=True)) == (None, [0])
    return aligner


def stamps(pushed):
    endpoint, frames = pushed
    return endpoint, [stamp for _, stamp in frames]


def test_late_repeated_and_non_finite_frames_are_dropped(aligner):
    assert stamps(aligner.push(frame(1.0), PERIOD, fill=True)) == (None, [PERIOD])
    assert stamps(aligner.push(frame(1.0), PERIOD, fill=True)) == (None, [])
    assert stamps(aligner.push(frame(1.0), 0, fill=True)) == (None, [])
    assert stamps(aligner.push(frame(np.nan), 2 * PERIOD, fill=True)) == (None, [])
    assert (aligner.out_of_order, aligner.not_finite) == (2, 1)


def test_a_short_gap_is_filled_on_request(aligner):
    _, frames = aligner.push(frame(3.0), 3 * PERIOD + 3, fill=True)
    assert [stamp for _, stamp in frames] == [PERIOD + 1, 2 * PERIOD + 2, 3 * PERIOD + 3]
    assert [features[0, 0] for features, _ in frames] == pytest.approx([1.0, 2.0, 3.0])
    assert aligner.filled == 2
    assert stamps(aligner.push(frame(3.0), 9 * PERIOD, fill=False)) == (None, [9 * PERIOD])
    assert aligner.filled == 2


@pytest.mark.parametrize(
    ("stamp", "endpoint"),
    [
        (499_999_999, None),
        (500_000_000, Endpoint.STREAM_GAP),
        (5 * 10**9 + 1, Endpoint.CLOCK_JUMP),
        (-(10**9) - 1, Endpoint.CLOCK_JUMP),
    ],
)
def test_longer_gaps_and_clock_jumps_are_endpoints(aligner, stamp, endpoint):
    assert stamps(aligner.push(frame(1.0), stamp, fill=endpoint is not None)) == (endpoint, [stamp])


def test_after_a_reset_any_stamp_begins_a_stream(aligner):
    aligner.reset()
    assert stamps(aligner.push(frame(1.0), -(10**12), fill=True)) == (None, [-(10**12)])


def test_only_joints_tracked_on_both_sides_of_a_short_gap_are_interpolated():
    before, after = frame(0.0), frame(1.0)
    after[:21, 6] = 0
    (filled,) = interpolate_gap(before, after, 1, PERIOD)
    assert filled[21:, 0] == pytest.approx(0.5)
    assert not filled[:21].any()
    assert interpolate_gap(before, after, 4, PERIOD)[:, 21:, 6].all()
    assert not interpolate_gap(before, after, 5, PERIOD).any(), "the gap is longer than 0.1 s"


def test_breaks_between_usable_frames_are_counted(aligner):
    assert aligner.newest == 0
    aligner.push(frame(1.0), 250_000_000, fill=True)
    assert (aligner.breaks, aligner.newest) == (0, 250_000_000)
    aligner.push(frame(np.nan), 400_000_000, fill=True)  # no use: the gap goes on
    assert aligner.newest == 250_000_000
    aligner.push(frame(1.0), 501_000_000, fill=True)
    assert aligner.breaks == 1
    aligner.push(frame(1.0), 400_000_000, fill=True)  # late: dropped
    assert (aligner.breaks, aligner.newest) == (1, 501_000_000)
    aligner.push(frame(1.0), 10 * 10**9, fill=True)
    aligner.push(frame(1.0), 0, fill=True)  # clock jumps, ahead and back
    assert (aligner.breaks, aligner.newest) == (3, 0)
    aligner.reset()
    assert aligner.newest is None
    aligner.push(frame(1.0), 5 * 10**9, fill=True)
    assert aligner.breaks == 3
