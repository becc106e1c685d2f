# SPDX-License-Identifier: MIT
"""Two-pass search: CTC finds the n-best; the second pass rescores them or detects signs."""

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
    """How the search works.

    Attributes:
        beam_size: hypotheses kept by the CTC prefix beam search.
        candidates: glosses considered at each step.
        alpha: weight of CTC against the attention decoder in the combined score; None = the
            network's own. The attention decoder prefers short sequences: below 0.8, repeated signs
            are lost.
    """

    beam_size: int = Field(default=8, ge=1, le=100)
    candidates: int = Field(default=16, ge=1)
    alpha: float | None = Field(default=None, ge=0, le=1)

    def with_alpha(self, alpha: float) -> DecodingOptions:
        """Return these options with the network's ``alpha`` if they set none."""
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
        method: "greedy", "beam" (CTC only) or "rescore" (both passes).
        options: beam size and, for "rescore", ``alpha``.
        second_pass: for "rescore": either the attention decoder's log-probability of each sequence,
            or the :class:`SegmentScorer` of a detection network, which needs no first pass.

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
    return with_spans(log_probs, n_best)


def with_spans(log_probs: AnyFloats, n_best: Sequence[Hypothesis]) -> Hypothesis:
    """Return the best of ``n_best`` (best first) with all of them and the spans of its glosses."""
    return replace(n_best[0], spans=tuple(_spans(log_probs, n_best)), n_best=tuple(n_best))


def _spans(log_probs: AnyFloats, n_best: Sequence[Hypothesis]) -> list[Span]:
    """Return spans by forced alignment, with confidences as :class:`Span` defines them."""
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
            min(1.0, place[gloss_id]) * float(np.exp(log_probs[start:end, gloss_id].max())),
            tuple(
                sorted(
                    ((other, vote) for other, vote in place.items() if other != gloss_id),
                    key=lambda item: -item[1],
                )
            ),
        )
        for gloss_id, (start, end), place in zip(best, align(log_probs, best), votes)
    ]
