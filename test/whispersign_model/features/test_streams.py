# SPDX-License-Identifier: MIT
"""The stream rules: next, dropped, or the first of a new stream."""

from __future__ import annotations

import numpy as np
import pytest

from whispersign_model.features.streams import Admission, StreamClock

MS = 1_000_000
LAST = 10_000 * MS


@pytest.mark.parametrize(
    ("after", "admission"),
    [
        (MS, Admission.NEXT),
        (5000 * MS, Admission.NEXT),
        (5000 * MS + 1, Admission.START),
        (MS - 1, Admission.DROP),
        (0, Admission.DROP),
        (-1, Admission.DROP),
        (-1000 * MS, Admission.DROP),
        (-1000 * MS - 1, Admission.START),
    ],
)
def test_a_frame_is_sorted_by_its_stamp(after: int, admission: Admission) -> None:
    clock = StreamClock()
    assert clock.admit(LAST) is Admission.START
    assert clock.admit(LAST + after) is admission
    assert clock.out_of_order == (admission is Admission.DROP)
    assert clock.jumps == (admission is Admission.START)


def test_a_dropped_frame_is_not_the_one_to_compare_with() -> None:
    clock = StreamClock()
    clock.admit(LAST)
    clock.admit(LAST - 900 * MS)
    assert clock.admit(LAST - 850 * MS) is Admission.DROP  # though later than the one dropped
    assert clock.admit(LAST + MS) is Admission.NEXT


def test_after_a_reset_any_stamp_begins_a_stream_and_is_no_jump() -> None:
    clock = StreamClock()
    clock.admit(LAST)
    clock.reset()
    assert clock.admit(LAST - 5) is Admission.START
    assert clock.jumps == 0


def test_many_frames_are_sorted_as_one_by_one() -> None:
    stamps = LAST + MS * np.array([0, 5, 5, 10, 9, 6000, 6010, 20, 30, 29, 40])
    clock = StreamClock()
    runs = clock.split(stamps)
    assert [(starts, rows.tolist()) for starts, rows in runs] == [
        (True, [0, 1, 3]),
        (True, [5, 6]),
        (True, [7, 8, 10]),
    ]
    assert (clock.out_of_order, clock.jumps) == (3, 2)
    again = clock.split(stamps[-1:] + MS * np.array([10, 20]))
    assert [(starts, rows.tolist()) for starts, rows in again] == [(False, [0, 1])]
    assert clock.split(stamps[:0]) == []
