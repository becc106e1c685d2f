# SPDX-License-Identifier: MIT
"""Emission: hypotheses become results, and each gloss is emitted once."""

from collections.abc import Sequence

from whispersign_model.decoding.confidence import ConfidenceScale
from whispersign_model.decoding.edit_distance import continuation
from whispersign_model.decoding.endpoint import Endpoint
from whispersign_model.decoding.hypothesis import Hypothesis
from whispersign_model.decoding.result import RecognizedGloss, Result
from whispersign_model.decoding.utterance import Utterance


class ResultEmitter:
    """Turns hypotheses into results: partial ones when they change, and each final gloss once.

    Args:
        glosses: the vocabulary; gloss ``i`` has id ``i + 1``.
        scale: turns the network's confidences into calibrated ones.
        min_confidence: glosses below it are left out of final results.

    Attributes:
        utterance_id: of the next final result.
        emitted: gloss ids of the open utterance that are final already.
    """

    def __init__(
        self, glosses: Sequence[str], scale: ConfidenceScale, min_confidence: float
    ) -> None:
        self.utterance_id = 0
        self._glosses = tuple(glosses)
        self._scale = scale
        self._min_confidence = min_confidence
        self.reset()

    def reset(self) -> None:
        """Begin another utterance."""
        self.emitted: tuple[int, ...] = ()
        self._last_partial: tuple[tuple[int, ...], int] = ((), 0)  # new ids, number of stable ones

    def partial(
        self, utterance: Utterance, end_hypothesis: Hypothesis | None = None
    ) -> list[Result]:
        """Return a partial result if it differs from the last one.

        Args:
            utterance: with the first pass's hypotheses.
            end_hypothesis: reported in place of the first pass's own, at a pause.
        """
        ids = end_hypothesis.ids if end_hypothesis else utterance.best()
        stable = len(utterance.stable)
        first = continuation(self.emitted, ids)
        partial = ids[first:], max(stable - first, 0)
        if partial == self._last_partial:
            return []
        self._last_partial = partial
        glosses = self.recognized(utterance, end_hypothesis or utterance.hypothesis(), stable)
        return [Result(False, self.utterance_id, glosses[first:], utterance.stamps[-1])]

    def final(
        self,
        utterance: Utterance,
        glosses: Sequence[RecognizedGloss],
        endpoint: Endpoint | None = None,
    ) -> list[Result]:
        """Return a final result of the new glosses that are confident enough, if there are any.

        Glosses below ``min_confidence`` behind the last confident one may still be under way. They
        do not count as emitted, and a later result may hold them.
        """
        first, last = self.count_emitted(glosses), len(glosses)
        while last > first and glosses[last - 1].confidence < self._min_confidence:
            last -= 1
        if last > first:
            self.emitted = _ids(glosses[:last])
        new = tuple(g for g in glosses[first:last] if g.confidence >= self._min_confidence)
        if not new:
            return []
        self._last_partial = (), 0
        self.utterance_id += 1
        return [Result(True, self.utterance_id - 1, new, utterance.stamps[-1], endpoint)]

    def count_emitted(self, glosses: Sequence[RecognizedGloss]) -> int:
        """Return how many leading glosses are final already."""
        return continuation(self.emitted, _ids(glosses))

    def recognized(
        self, utterance: Utterance, hypothesis: Hypothesis, stable: int
    ) -> tuple[RecognizedGloss, ...]:
        """Return the glosses of a hypothesis; the first ``stable`` are marked as stable."""
        return tuple(
            RecognizedGloss(
                gloss=self._glosses[span.gloss_id - 1],
                gloss_id=span.gloss_id,
                start=start,
                end=end,
                confidence=self._scale(self._glosses[span.gloss_id - 1], span.confidence),
                alternatives=tuple(
                    (self._glosses[other - 1], share) for other, share in span.alternatives
                ),
                stable=index < stable,
            )
            for index, (span, (start, end)) in enumerate(
                zip(hypothesis.spans, utterance.locate(hypothesis))
            )
        )


def _ids(glosses: Sequence[RecognizedGloss]) -> tuple[int, ...]:
    return tuple(gloss.gloss_id for gloss in glosses)
