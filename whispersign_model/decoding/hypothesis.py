# SPDX-License-Identifier: MIT
"""A hypothesis: one gloss sequence for a clip, with spans and confidences."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """One gloss of a hypothesis: its steps, its confidence, and its alternatives.

    Attributes:
        gloss_id: from 1.
        start, end: first step of the gloss and the step after its last.
        confidence: in [0, 1]. CTC: the share of the n-best, weighted by score, that agrees, times
            the gloss's highest probability within the span. Detection: the segment's probability.
        alternatives: other gloss ids for this span with their shares, best first.
    """

    gloss_id: int
    start: int
    end: int
    confidence: float
    alternatives: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Hypothesis:
    """One gloss sequence.

    Attributes:
        ids: gloss ids in order.
        score: natural logarithm, of CTC alone or combined with the attention decoder's.
        spans: one for each id; only the best hypothesis of a decode has them.
        n_best: all hypotheses, best first, including this one; only the best has them.
        complete_spans: spans cover whole signs; CTC's cover only the steps of its peaks.
    """

    ids: tuple[int, ...]
    score: float
    spans: tuple[Span, ...] = ()
    n_best: tuple[Hypothesis, ...] = ()
    complete_spans: bool = False
