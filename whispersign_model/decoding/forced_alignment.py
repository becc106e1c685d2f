# SPDX-License-Identifier: MIT
"""Forced alignment: locate each gloss of a sequence in time, from CTC log-probabilities."""

from collections.abc import Sequence

import numpy as np

from whispersign_model.arrays import AnyFloats
from whispersign_model.decoding.ctc import BLANK

SMOOTHING_WINDOW = 7  # frames over which the speed is smoothed before its extrema are located


def align(log_probs: AnyFloats, ids: Sequence[int]) -> list[tuple[int, int]]:
    """Return the most probable path of a gloss sequence (Viterbi over the CTC lattice).

    Args:
        log_probs: ``(T, V)``, one clip without padding.
        ids: the gloss sequence.

    Returns:
        for each gloss, its first step and the step after its last.

    Raises:
        ValueError: the sequence needs more steps than there are.
    """
    if not ids:
        return []
    states = np.full(2 * len(ids) + 1, BLANK)
    states[1::2] = ids
    steps, width = len(log_probs), len(states)
    may_skip = np.zeros(width, bool)  # from one gloss to a different one, without a blank
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    score = np.full(width, -np.inf)
    if steps:
        score[:2] = log_probs[0, states[:2]]
    came_from = np.zeros((steps, width), np.int8)  # 0: stayed, 1: previous state, 2: skipped one
    for step in range(1, steps):
        options = np.full((3, width), -np.inf)
        options[0] = score
        options[1, 1:] = score[:-1]
        options[2, 2:] = np.where(may_skip[2:], score[:-2], -np.inf)
        came_from[step] = options.argmax(axis=0)
        score = options.max(axis=0) + log_probs[step, states]
    state = width - 1 if score[-1] >= score[-2] else width - 2
    if not np.isfinite(score[state]):
        raise ValueError(f"{len(ids)} glosses cannot be aligned to {steps} steps")
    path = np.empty(steps, int)
    for step in range(steps - 1, -1, -1):
        path[step] = state
        state -= int(came_from[step, state])
    spans = (np.flatnonzero(path == 2 * index + 1) for index in range(len(ids)))
    return [(int(steps_in[0]), int(steps_in[-1]) + 1) for steps_in in spans]


def extents(peaks: Sequence[tuple[int, int]], speeds: AnyFloats) -> list[tuple[int, int]]:
    """Extend the CTC peaks to the frames in which the hands make the signs.

    CTC peaks at a single moment within a sign. Between two peaks, the hands move from one sign to
    the next and reach a maximum speed on the way. The first sign ends at the slowest frame before
    that maximum, and the second sign begins at the slowest frame after it. The same rule applies
    before the first sign and after the last.

    Args:
        peaks: for each gloss, the first frame of its peak and the frame after the last. Peaks are
            in order, do not touch, and lie within the clip.
        speeds: ``(T,)`` speed of the hands in each frame; 0 without hands.

    Returns:
        spans in the same form as ``peaks``. Each contains its peak, and adjacent spans do not
        overlap.
    """
    padded = np.pad(speeds, SMOOTHING_WINDOW // 2, mode="edge")
    pace = np.convolve(padded, np.ones(SMOOTHING_WINDOW) / SMOOTHING_WINDOW, "valid")
    before = [0, *(end for _, end in peaks)]
    after = [*(start for start, _ in peaks), len(speeds)]
    transitions = [_transition(pace[low:high], low) for low, high in zip(before, after)]
    return [(transitions[index][1], transitions[index + 1][0]) for index in range(len(peaks))]


def _transition(pace: AnyFloats, first: int) -> tuple[int, int]:
    """Return the first and last frame of the transition between two signs."""
    if not len(pace):
        return first, first
    fastest = int(pace.argmax())
    slow_before = int(pace[: fastest + 1].argmin())
    return first + slow_before, first + fastest + int(pace[fastest:].argmin())
