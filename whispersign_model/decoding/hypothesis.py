"""A hypothesis: one reading of a clip, with where each gloss lies and how sure we are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """Where one gloss of a hypothesis lies and what else it might be.

    Attributes:
        gloss_id: from 1.
        start, end: first step of the gloss and the step after its last.
        confidence: in [0, 1], the share of the n-best that agrees, by their scores, times the
            gloss's highest CTC probability within the span.
        alternatives: other gloss ids for this place with their shares, best first.
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
        score: natural logarithm; CTC's alone, or combined with the attention decoder's.
        spans: one for each id; only the best hypothesis of a decode has them.
        n_best: all hypotheses, best first, itself included; only the best has them.
        whole: its spans are whole signs, not the moments in which CTC tells them.
    """

    ids: tuple[int, ...]
    score: float
    spans: tuple[Span, ...] = ()
    n_best: tuple[Hypothesis, ...] = ()
    whole: bool = False
