# SPDX-License-Identifier: MIT
"""Forced alignment: the best of all paths of a gloss sequence, and how long one must be."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from whispersign_model.datasets.short_clips import required_steps
from whispersign_model.decoding.ctc import collapse
from whispersign_model.decoding.forced_alignment import SMOOTHING_WINDOW, align, extents

LABELS = 3
sequences = st.lists(st.integers(1, LABELS - 1), max_size=4)


def posteriors(steps: int, seed: int) -> NDArray[np.float64]:
    """Log-probabilities ``(steps, LABELS)``, some of them sharp."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, generator.choice([0.3, 3]), (steps, LABELS))
    return np.asarray(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))


def spans_of(path: Sequence[int]) -> list[tuple[int, int]]:
    """First step and step after the last of each gloss of a path."""
    spans, start = [], 0
    for label, steps in groupby(path):
        end = start + len(list(steps))
        spans += [(start, end)] if label else []
        start = end
    return spans


@settings(max_examples=60, deadline=None)
@given(ids=sequences, steps=st.integers(1, 6), seed=st.integers(0, 10**6))
def test_the_best_of_all_paths_is_found(ids: list[int], steps: int, seed: int) -> None:
    log_probs = posteriors(steps, seed)
    paths = [p for p in product(range(LABELS), repeat=steps) if collapse(p) == tuple(ids)]
    assert bool(paths) == (required_steps(ids) <= steps)
    if paths:
        best = max(paths, key=lambda path: log_probs[np.arange(steps), path].sum())
        assert align(log_probs, ids) == spans_of(best)
    else:
        with pytest.raises(ValueError, match=f"{len(ids)} glosses .* {steps} steps"):
            align(log_probs, ids)


@settings(max_examples=60, deadline=None)
@given(ids=sequences, spare=st.integers(0, 20), seed=st.integers(0, 10**6))
def test_glosses_follow_each_other_and_equal_ones_keep_apart(
    ids: list[int], spare: int, seed: int
) -> None:
    steps = required_steps(ids) + spare
    spans = align(posteriors(steps, seed), ids)
    assert len(spans) == len(ids)
    assert all(0 <= start < end <= steps for start, end in spans)
    for index in range(1, len(ids)):
        apart = spans[index][0] - spans[index - 1][1]
        assert apart >= (ids[index] == ids[index - 1])


def test_nothing_is_aligned_to_nothing() -> None:
    assert align(posteriors(0, 0), []) == align(posteriors(3, 0), []) == []
    with pytest.raises(ValueError, match="cannot be aligned to 0 steps"):
        align(posteriors(0, 0), [1])


def test_signs_reach_to_where_the_hands_are_slowest_before_and_behind_the_way_between() -> None:
    # The hands come (to 20), sign (to 40), stop, go on (60 to 70), stop, sign (80 to 100), leave.
    corners = [0, 10, 20, 30, 40, 50, 65, 75, 90, 100, 110, 119]
    paces = [2.0, 3.0, 0.1, 1.0, 0.2, 0.1, 3.0, 0.1, 1.0, 0.1, 4.0, 4.0]
    speeds = np.interp(np.arange(120), corners, paces)
    (start, end), (second_start, second_end) = extents([(28, 32), (88, 92)], speeds)
    for found, expected in ((start, 20), (end, 50), (second_start, 75), (second_end, 100)):
        assert found == pytest.approx(expected, abs=SMOOTHING_WINDOW // 2)


@settings(max_examples=60, deadline=None)
@given(
    frames=st.integers(1, 40), cuts=st.sets(st.integers(0, 40), max_size=8), seed=st.integers(0, 99)
)
def test_signs_hold_their_peaks_and_do_not_overlap(frames: int, cuts: set[int], seed: int) -> None:
    places = sorted(cut for cut in cuts if cut <= frames)
    peaks = list(zip(places[::2], places[1::2]))
    found = extents(peaks, np.random.default_rng(seed).random(frames))
    edges = [edge for span in found for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= start <= a < b <= end <= frames for (start, end), (a, b) in zip(found, peaks))
