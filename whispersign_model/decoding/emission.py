# SPDX-License-Identifier: MIT
"""Emission: turn hypotheses into results, and emit each gloss exactly once."""

from collections.abc import Sequence

from whispersign_model.decoding.confidence import ConfidenceScale
from whispersign_model.decoding.edit_distance import continuation
from whispersign_model.decoding.endpoint import Endpoint
from whispersign_model.decoding.hypothesis import Hypothesis
from whispersign_model.decoding.result import RecognizedGloss, Result
from whispersign_model.decoding.utterance import Utterance
from whispersign_model.timestamps import NANOSECONDS


class ResultEmitter:
    """Emits a partial result when the hypothesis changes, and each final gloss exactly once.

    Args:
        glosses: the vocabulary; gloss ``i`` has id ``i + 1``.
        scale: calibration of the network's confidences.
        min_confidence: lowest confidence of a gloss in a final result.
        max_age: seconds since its end after which a gloss is too old to become final.

    Attributes:
        utterance_id: number of the open utterance, used in the next final result.
        emitted: gloss ids of the open utterance that are already final.
    """

    def __init__(
        self, glosses: Sequence[str], scale: ConfidenceScale, min_confidence: float, max_age: float
    ) -> None:
        self.utterance_id = 0
        self._glosses = tuple(glosses)
        self._scale = scale
        self._min_confidence = min_confidence
        self._max_age = round(max_age * NANOSECONDS)
        self.reset()

    def reset(self) -> None:
        """Start a new utterance."""
        self.emitted: tuple[int, ...] = ()
        self._last: RecognizedGloss | None = None  # the last gloss that became final
        self._last_partial: tuple[tuple[int, ...], int] = ((), 0)  # new ids, number of stable ids

    def keep_from(self, stamp: int) -> int:
        """Forget the emitted glosses that are no longer part of the utterance.

        Args:
            stamp: earliest stamp from which the utterance can be kept.

        Returns:
            the stamp from which it is kept: the start of the last emitted gloss, or ``stamp`` if
            that gloss began earlier.
        """
        self._last_partial = (), 0
        if self._last is None or self._last.start < stamp:
            self.emitted, self._last = (), None
            return stamp
        self.emitted = (self._last.gloss_id,)
        return self._last.start

    def partial(
        self, utterance: Utterance, end_hypothesis: Hypothesis | None = None
    ) -> list[Result]:
        """Return a partial result if it differs from the last one.

        Args:
            utterance: the open utterance, with the hypotheses of the first pass.
            end_hypothesis: hypothesis to report instead of the first pass's current one, at a
                pause.
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
        """Return a final result with the new, sufficiently confident glosses, or None without any.

        Glosses after the last confident one may still be in progress. They do not count as emitted,
        so a later result can contain them.
        """
        first, last = self.count_emitted(glosses), len(glosses)
        while last > first and glosses[last - 1].confidence < self._min_confidence:
            last -= 1
        if last > first:
            self.emitted, self._last = _ids(glosses[:last]), glosses[last - 1]
        oldest = utterance.stamps[-1] - self._max_age
        new = tuple(
            gloss
            for gloss in glosses[first:last]
            if gloss.confidence >= self._min_confidence and gloss.end >= oldest
        )
        if not new:
            return []
        self._last_partial = (), 0
        self.utterance_id += 1
        return [Result(True, self.utterance_id - 1, new, utterance.stamps[-1], endpoint)]

    def count_emitted(self, glosses: Sequence[RecognizedGloss]) -> int:
        """Return how many leading glosses are already final."""
        return continuation(self.emitted, _ids(glosses))

    def recognized(
        self, utterance: Utterance, hypothesis: Hypothesis, stable: int
    ) -> tuple[RecognizedGloss, ...]:
        """Return the glosses of a hypothesis, with the first ``stable`` ones marked as stable."""
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
