# SPDX-License-Identifier: MIT
"""A hypothesis: one gloss sequence for a clip, with spans and confidences."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """One gloss of a hypothesis, with its steps, confidence and alternatives.

    Attributes:
        gloss_id: id of the gloss, starting at 1.
        start, end: first step of the gloss and the step after its last.
        confidence: confidence in [0, 1]. After rescoring, the score-weighted share of the n-best
            list that agrees. From CTC alone, this share times the highest probability of the gloss
            within the span. For detection, the probability of the segment.
        alternatives: other gloss ids for this span, with their shares, best first.
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
        ids: gloss ids in order of signing.
        score: log-probability (natural logarithm) from CTC alone, or combined with the attention
            decoder.
        spans: one span for each id; only the best hypothesis of a search has them.
        n_best: all hypotheses including this one, best first; only the best hypothesis has them.
        complete_spans: whether the spans cover whole signs. Spans from CTC cover only its peaks.
    """

    ids: tuple[int, ...]
    score: float
    spans: tuple[Span, ...] = ()
    n_best: tuple[Hypothesis, ...] = ()
    complete_spans: bool = False
