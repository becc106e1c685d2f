"""CTC on arrays: collapse rules, greedy search, and prefix beam search."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from whispersign_model.decoding.hypothesis import Hypothesis, Span

BLANK = 0
NEVER = -np.inf


def collapse(path: Iterable[int]) -> tuple[int, ...]:
    """Merge repeats, then drop blanks: the sequence a path of steps stands for."""
    return tuple(int(label) for label, _ in groupby(path) if label != BLANK)


def greedy_search(log_probs: NDArray[np.floating]) -> Hypothesis:
    """The most probable path, collapsed; its runs of one gloss are the spans.

    Args:
        log_probs: ``(T, V)``, one clip without padding; column 0 is the blank.
    """
    path = log_probs.argmax(axis=1)
    best = log_probs[np.arange(len(path)), path]
    bounds = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), len(path)]
    spans = tuple(
        Span(int(path[start]), start, end, float(np.exp(best[start:end].max())))
        for start, end in pairwise(bounds)
        if start < end and path[start] != BLANK
    )
    return Hypothesis(tuple(span.gloss_id for span in spans), float(best.sum()), spans)


def prefix_beam_search(
    log_probs: NDArray[np.floating],
    beam_size: int = 8,
    candidates: int = 16,
) -> list[Hypothesis]:
    """The most probable gloss sequences, summed over their paths (Hannun et al. 2014).

    Args:
        log_probs: ``(T, V)``, one clip without padding; column 0 is the blank.
        beam_size: sequences kept after each step, and the most that are returned.
        candidates: glosses considered at each step, the most probable ones.

    Returns:
        hypotheses, best first; never empty.
    """
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, NEVER)}
    candidates = min(candidates, log_probs.shape[1] - 1)
    for row in log_probs.astype(np.float64):
        likely = np.argpartition(row[1:], -candidates)[-candidates:] + 1
        beam = _advance(beam, row, [int(label) for label in likely])
        ranked = sorted(beam.items(), key=lambda item: (-np.logaddexp(*item[1]), item[0]))
        beam = dict(ranked[:beam_size])
    return [Hypothesis(prefix, float(np.logaddexp(*ends))) for prefix, ends in beam.items()]


def _advance(
    beam: dict[tuple[int, ...], tuple[float, float]],
    row: NDArray[np.float64],
    likely: list[int],
) -> dict[tuple[int, ...], tuple[float, float]]:
    """One step: each prefix ends in blank or in its last gloss, or grows by a gloss."""
    following: dict[tuple[int, ...], list[float]] = {}

    def add(prefix: tuple[int, ...], ending: int, score: float) -> None:
        if score == NEVER:  # a gloss twice without a blank between
            return
        scores = following.setdefault(prefix, [NEVER, NEVER])
        scores[ending] = float(np.logaddexp(scores[ending], score))

    for prefix, (in_blank, in_gloss) in beam.items():
        total = float(np.logaddexp(in_blank, in_gloss))
        add(prefix, 0, total + row[BLANK])
        if prefix:
            add(prefix, 1, in_gloss + row[prefix[-1]])
        for label in likely:
            repeats = bool(prefix) and label == prefix[-1]
            add((*prefix, label), 1, (in_blank if repeats else total) + row[label])
    return {prefix: (scores[0], scores[1]) for prefix, scores in following.items()}
