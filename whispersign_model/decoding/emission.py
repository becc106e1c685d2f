# SPDX-License-Identifier: MIT
"""Emission: turn hypotheses into results, and emit each gloss exactly once."""

from collections.abc import Sequence

from whispersign_model.decoding.confidence import ConfidenceScale
from whispersign_model.decoding.edit_distance import continuation
from whispersign_model.decoding.endpoint import Endpoint
from whispersign_model.decoding.hypothesis import Hypothesis
from whispersign_model.decoding.result import RecognizedGloss, Result
from whispersign_model.decoding.utterance import Utterance


class ResultEmitter:
    """Emits a partial result when the hypothesis changes, and each final gloss exactly once.

    Args:
        glosses: the vocabulary; gloss ``i`` has id ``i + 1``.
        scale: calibration of the network's confidences.
        min_confidence: lowest confidence of a gloss in a final result.

    Attributes:
        utterance_id: number of the open utterance, used in the next final result.
        emitted: gloss ids of the open utterance that are already final.
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
        """Start a new utterance."""
        self.emitted: tuple[int, ...] = ()
        self._last: RecognizedGloss | None = None  # the last gloss that became final
        self._rest: int | None = None  # stamp of the last frame before a rest
        self._context: int | None = None  # gloss id of the sign before that rest
        self._last_partial: tuple[tuple[int, ...], int] = ((), 0)  # new ids, number of stable ids

    def resume(self, first: int, last: int) -> int:
        """Go on with an utterance after a rest. Glosses of the time before it are no longer new.

        Args:
            first: earliest stamp from which the utterance can be kept.
            last: stamp of the last frame before the rest.

        Returns:
            the stamp from which to keep it: the start of the last final gloss, or ``first``.
        """
        self.emitted, self._last_partial, self._rest = (), ((), 0), last
        if self._last is None or self._last.end < first:
            self._context = None
            return first
        self._context = self._last.gloss_id
        return max(self._last.start, first)

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
        if self._rest is None:
            first = continuation(self.emitted, ids)
        else:
            hypothesis = end_hypothesis or utterance.hypothesis()
            first = self.count_emitted(self.recognized(utterance, hypothesis, stable))
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
            self.emitted = _ids(glosses[self._count_past(glosses) : last])
            self._last = glosses[last - 1]
        new = tuple(g for g in glosses[first:last] if g.confidence >= self._min_confidence)
        if not new:
            return []
        self._last_partial = (), 0
        self.utterance_id += 1
        return [Result(True, self.utterance_id - 1, new, utterance.stamps[-1], endpoint)]

    def count_emitted(self, glosses: Sequence[RecognizedGloss]) -> int:
        """Return how many leading glosses are already final, or lie before a rest."""
        past = self._count_past(glosses)
        return past + continuation(self.emitted, _ids(glosses[past:]))

    def _count_past(self, glosses: Sequence[RecognizedGloss]) -> int:
        """Return how many leading glosses belong to the time before the rest, if there was one.

        A sign that the rest interrupts may be located after it. It is the last final gloss, if no
        other gloss lies before the rest.
        """
        if self._rest is None:
            return 0
        past = sum(gloss.end <= self._rest for gloss in glosses)
        goes_on = self._context is not None and _ids(glosses[:1]) == (self._context,)
        return 1 if past == 0 and goes_on else past

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
