# SPDX-License-Identifier: MIT
"""CTC decoding with NumPy: the collapse rule, greedy search, and incremental beam search."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from whispersign_model.arrays import AnyFloats, Doubles
from whispersign_model.decoding.hypothesis import Hypothesis

BLANK = 0
LOG_ZERO = -np.inf


def collapse(path: Iterable[int]) -> tuple[int, ...]:
    """Convert a path to its label sequence: merge repeats, then drop blanks."""
    return tuple(int(label) for label, _ in groupby(path) if label != BLANK)


def greedy_search(log_probs: AnyFloats) -> Hypothesis:
    """Return the label sequence of the most probable path.

    Args:
        log_probs: ``(T, V)``, one clip without padding; column 0 is the blank.
    """
    path = log_probs.argmax(axis=1).tolist()
    return Hypothesis(collapse(path), float(log_probs[np.arange(len(path)), path].sum()))


def prefix_beam_search(
    log_probs: AnyFloats, beam_size: int = 8, candidates: int = 16
) -> list[Hypothesis]:
    """Return the most probable gloss sequences of a whole clip; see :class:`PrefixBeam`.

    Args:
        log_probs: ``(T, V)``, one clip without padding; column 0 is the blank.
        beam_size: number of sequences kept after each step, and the largest number returned.
        candidates: number of glosses, the most probable ones, considered at each step.

    Returns:
        the hypotheses, best first; never empty.
    """
    beam = PrefixBeam(beam_size, candidates)
    beam.push(log_probs)
    return beam.hypotheses()


class PrefixBeam:
    """Keeps the most probable gloss sequences of a growing clip, each summed over its paths.

    This is CTC prefix beam search (Hannun et al. 2014, arXiv:1408.2873), vectorized over the
    sequences of a step. Sequences with equal scores keep their earlier order; new ones follow in
    order of gloss ids.

    Args:
        beam_size: number of sequences kept after each step.
        candidates: number of glosses, the most probable ones, considered at each step.
    """

    def __init__(self, beam_size: int = 8, candidates: int = 16) -> None:
        self._size = beam_size
        self._candidates = candidates
        self._prefixes: list[tuple[int, ...]] = [()]
        self._in_blank = np.zeros(1)  # log-probability of all paths to a prefix that end in blank
        self._in_gloss = np.full(1, LOG_ZERO)  # the same for paths that end in its last gloss

    def copy(self) -> PrefixBeam:
        """Return an independent copy, for example to decode the clip as if it had ended."""
        return copy.copy(self)  # a shallow copy suffices: a step creates new arrays and lists

    def push(self, log_probs: AnyFloats) -> None:
        """Process the next rows ``(K, V)`` of CTC log-probabilities."""
        for row in log_probs.astype(np.float64):
            self._advance(row)

    def hypotheses(self) -> list[Hypothesis]:
        """Return the kept sequences, best first; never empty."""
        scores = np.logaddexp(self._in_blank, self._in_gloss).tolist()
        return [Hypothesis(prefix, score) for prefix, score in zip(self._prefixes, scores)]

    def keep(self, prefix: tuple[int, ...]) -> None:
        """Drop the sequences that do not begin with ``prefix``; the best one must begin with it."""
        kept = [i for i, ids in enumerate(self._prefixes) if ids[: len(prefix)] == prefix]
        self._prefixes = [self._prefixes[i] for i in kept]
        self._in_blank, self._in_gloss = self._in_blank[kept], self._in_gloss[kept]

    def _advance(self, row: Doubles) -> None:
        """Process one step: each prefix ends in blank or in its last gloss, or grows by one."""
        candidates = min(self._candidates, len(row) - 1)
        likely = np.sort(np.argpartition(row[1:], -candidates)[-candidates:] + 1)
        last = np.array([ids[-1] if ids else BLANK for ids in self._prefixes])
        total = np.logaddexp(self._in_blank, self._in_gloss)
        in_blank = total + row[BLANK]
        in_gloss = np.where(last == BLANK, LOG_ZERO, self._in_gloss + row[last])
        # A gloss can follow itself only after a blank. Shape: (prefixes, candidates).
        repeats = last[:, None] == likely
        grown = np.where(repeats, self._in_blank[:, None], total[:, None]) + row[likely]
        self._merge(grown, in_gloss, likely)
        scores = np.concatenate([np.logaddexp(in_blank, in_gloss), grown.ravel()])
        order = np.argsort(-scores, kind="stable")[: self._size]
        order = order[scores[order] > LOG_ZERO]
        parents = self._prefixes
        held = order < len(parents)
        stays = np.where(held, order, 0)
        grows = np.where(held, 0, order - len(parents))
        self._prefixes = [
            parents[index]
            if index < len(parents)
            else (*parents[(index - len(parents)) // candidates], int(likely[grow % candidates]))
            for index, grow in zip(order.tolist(), grows.tolist())
        ]
        self._in_blank = np.where(held, in_blank[stays], LOG_ZERO)
        self._in_gloss = np.where(held, in_gloss[stays], grown.ravel()[grows])

    def _merge(self, grown: Doubles, in_gloss: Doubles, likely: NDArray[np.intp]) -> None:
        """Merge each grown prefix that equals a kept prefix into that prefix."""
        place = {ids: index for index, ids in enumerate(self._prefixes)}
        column = {label: index for index, label in enumerate(likely.tolist())}
        for index, ids in enumerate(self._prefixes):
            parent = place.get(ids[:-1]) if ids else None
            label = column.get(ids[-1]) if ids else None
            if parent is not None and label is not None:
                in_gloss[index] = np.logaddexp(in_gloss[index], grown[parent, label])
                grown[parent, label] = LOG_ZERO


def common_prefix(sequences: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the longest common prefix of one or more sequences."""
    shortest, longest = min(sequences), max(sequences)
    for index, (one, other) in enumerate(zip(shortest, longest)):
        if one != other:
            return shortest[:index]
    return shortest[: len(longest)]
