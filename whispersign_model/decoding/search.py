# SPDX-License-Identifier: MIT
"""Two-pass search: CTC produces an n-best list; the second pass rescores it or detects signs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from whispersign_model.arrays import AnyFloats
from whispersign_model.configuration import StrictModel
from whispersign_model.decoding.ctc import greedy_search, prefix_beam_search
from whispersign_model.decoding.detection import SegmentScorer, detect
from whispersign_model.decoding.edit_distance import edits
from whispersign_model.decoding.forced_alignment import align
from whispersign_model.decoding.hypothesis import Hypothesis, Span

Method = Literal["greedy", "beam", "rescore"]
Rescorer = Callable[[Sequence[tuple[int, ...]]], AnyFloats]
SecondPassScorer = Rescorer | SegmentScorer


class DecodingOptions(StrictModel):
    """Options for the search.

    Attributes:
        beam_size: number of hypotheses that the CTC prefix beam search keeps.
        candidates: number of glosses considered at each step.
        alpha: weight of CTC relative to the attention decoder in the combined score; None uses the
            network's value. The attention decoder favors short sequences: below 0.8, repeated signs
            are lost.
    """

    beam_size: int = Field(default=8, ge=1, le=100)
    candidates: int = Field(default=16, ge=1)
    alpha: float | None = Field(default=None, ge=0, le=1)

    def with_alpha(self, alpha: float) -> DecodingOptions:
        """Return a copy that uses the network's ``alpha`` if none is set."""
        return self if self.alpha is not None else self.model_copy(update={"alpha": alpha})


def decode(
    log_probs: AnyFloats,
    method: Method,
    options: DecodingOptions,
    second_pass: SecondPassScorer | None = None,
) -> Hypothesis:
    """Decode one clip.

    Args:
        log_probs: ``(T', V)`` CTC log-probabilities without padding.
        method: "greedy" or "beam" (both use CTC only), or "rescore" (both passes).
        options: search options; only "rescore" reads ``alpha``.
        second_pass: needed for "rescore". Either a function that returns the attention decoder's
            log-probability of each sequence, or the :class:`SegmentScorer` of a detection network,
            which needs no first pass.

    Returns:
        the best hypothesis, with spans and n-best.
    """
    if method == "greedy":
        return with_spans(log_probs, [greedy_search(log_probs)])
    if method == "rescore" and isinstance(second_pass, SegmentScorer):
        return detect(len(log_probs), second_pass)
    n_best = prefix_beam_search(log_probs, options.beam_size, options.candidates)
    if method == "rescore" and len(n_best) > 1:
        assert second_pass is not None
        assert not isinstance(second_pass, SegmentScorer)
        assert options.alpha is not None, "decode with options.with_alpha(the network's alpha)"
        attention = second_pass([hypothesis.ids for hypothesis in n_best])
        combined = [
            options.alpha * hypothesis.score + (1 - options.alpha) * float(score)
            for hypothesis, score in zip(n_best, attention)
        ]
        n_best = [
            replace(n_best[index], score=combined[index])
            for index in sorted(range(len(n_best)), key=lambda i: -combined[i])
        ]
        return with_spans(log_probs, n_best, rescored=True)
    return with_spans(log_probs, n_best)


def with_spans(
    log_probs: AnyFloats, n_best: Sequence[Hypothesis], rescored: bool = False
) -> Hypothesis:
    """Return the best hypothesis of ``n_best``, with its spans and the whole list.

    Args:
        log_probs: ``(T', V)`` CTC log-probabilities without padding.
        n_best: the hypotheses, best first.
        rescored: whether their scores include the attention decoder's.
    """
    spans = tuple(_spans(log_probs, n_best, rescored))
    return replace(n_best[0], spans=spans, n_best=tuple(n_best))


def _spans(log_probs: AnyFloats, n_best: Sequence[Hypothesis], rescored: bool) -> list[Span]:
    """Return spans from forced alignment, with the confidences that :class:`Span` defines."""
    scores = np.array([hypothesis.score for hypothesis in n_best])
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    best = n_best[0].ids
    votes: list[dict[int, float]] = [defaultdict(float) for _ in best]
    for hypothesis, share in zip(n_best, shares):
        for edit in edits(best, hypothesis.ids):
            if edit.reference is not None and edit.hypothesis is not None:
                votes[edit.reference][hypothesis.ids[edit.hypothesis]] += float(share)
    return [
        Span(
            gloss_id,
            start,
            end,
            min(1.0, place[gloss_id])
            * (1.0 if rescored else float(np.exp(log_probs[start:end, gloss_id].max()))),
            tuple(
                sorted(
                    ((other, vote) for other, vote in place.items() if other != gloss_id),
                    key=lambda item: -item[1],
                )
            ),
        )
        for gloss_id, (start, end), place in zip(best, align(log_probs, best), votes)
    ]
