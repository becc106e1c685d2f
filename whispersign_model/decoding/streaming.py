"""Live recognition: features go in as they come, partial and final glosses come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from whispersign_model.decoding.hypothesis import Hypothesis
from whispersign_model.decoding.search import DecodingOptions, Method, decode
from whispersign_model.features.ending import with_ending
from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.recordings.recording import NANOSECONDS, Recording
from whispersign_model.runtime.backend import Backend
from whispersign_model.skeleton import CONFIDENCE, VELOCITY

PAUSE = 0.25  # seconds of hands at rest after which an utterance may have ended


@dataclass(frozen=True)
class RecognizedGloss:
    """One gloss with the capture times it spans.

    Attributes:
        gloss, gloss_id: its name, and its id from 1.
        start, end: capture times of its first and last frame, nanoseconds.
        confidence: in [0, 1].
        alternatives: other glosses for this span with their confidences, best first.
    """

    gloss: str
    gloss_id: int
    start: int
    end: int
    confidence: float
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Result:
    """What is known of one utterance.

    Attributes:
        final: False while the utterance goes on and everything may still change.
        utterance_id: counts utterances from 0.
        glosses: in order of signing.
    """

    final: bool
    utterance_id: int
    glosses: tuple[RecognizedGloss, ...]


class RecognizerOptions(BaseModel):
    """When an utterance ends, how often it is looked at, and what is kept.

    Attributes:
        absent_timeout: seconds without a tracked hand that end an utterance.
        blank_timeout: seconds of resting hands and no gloss, after at least one, that end it.
        rest_share: hands rest while they are slower than this share of the utterance's top speed.
        max_length: seconds after which an utterance is ended in any case.
        lead_in: seconds kept while hands are seen and nothing is signed yet.
        partial_interval: seconds of signal between partial results.
        min_confidence: a gloss below it is left out of the final result.
        decoding: how the search works.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    absent_timeout: float = Field(default=0.5, gt=0, le=10)
    blank_timeout: float = Field(default=1.5, gt=0, le=10)
    rest_share: float = Field(default=0.1, ge=0, lt=1)
    max_length: float = Field(default=20.0, gt=1, le=60)
    lead_in: float = Field(default=4.0, gt=0.5, le=20)
    partial_interval: float = Field(default=0.25, gt=0, le=10)
    min_confidence: float = Field(default=0.0, ge=0, le=1)
    decoding: DecodingOptions = DecodingOptions()


class StreamingRecognizer:
    """Recognises a stream of normalised features, utterance by utterance.

    An utterance begins with a tracked hand and ends at an endpoint: hands gone, hands resting and
    nothing but blank for a while, or the maximum length. Every decision depends on the frames and
    their stamps alone: the same features give the same results however they are cut into pushes.

    Args:
        backend: the loaded network.
        glosses: the vocabulary; gloss ``i`` has id ``i + 1``.
        options: endpoints and search.
    """

    def __init__(
        self,
        backend: Backend,
        glosses: Sequence[str],
        options: RecognizerOptions | None = None,
    ) -> None:
        self.backend = backend
        self.glosses = tuple(glosses)
        self.options = options or RecognizerOptions()
        self.utterance_id = 0
        self.reset()

    def reset(self) -> None:
        """Forget the current utterance; nothing of it is given out."""
        self._frames: list[NDArray[np.float32]] = []
        self._stamps: list[int] = []
        self._last_tracked = 0
        self._last_moving = 0
        self._top_speed = 0.0
        self._last_partial = 0
        self._partial: tuple[str, ...] = ()

    def push(
        self, frames: NDArray[np.float32], stamps: NDArray[np.int64] | Sequence[int]
    ) -> list[Result]:
        """Take the next frames of the stream.

        Args:
            frames: ``(N, 42, 7)`` normalised features at the recipe's rate.
            stamps: ``(N,)`` capture times in nanoseconds, increasing.

        Returns:
            results in order; most pushes give none.
        """
        results: list[Result] = []
        for frame, stamp in zip(frames, stamps):
            results += self._take(frame, int(stamp))
        return results

    def finish(self) -> list[Result]:
        """The stream has ended: close the utterance, if there is one."""
        results = self._final(self._decode("rescore", ended=True)) if self._frames else []
        self.reset()
        return results

    def _take(self, frame: NDArray[np.float32], stamp: int) -> list[Result]:
        tracked = bool(frame[:, CONFIDENCE].any())
        if not self._frames:
            if not tracked:
                return []
            self._last_partial = stamp
        if tracked:
            self._last_tracked = stamp
        pace = speed(frame)
        self._top_speed = max(self._top_speed, pace)
        if pace > self.options.rest_share * self._top_speed:
            self._last_moving = stamp
        self._frames.append(frame)
        self._stamps.append(stamp)
        if _seconds(stamp - self._last_tracked) >= self.options.absent_timeout:
            return self.finish()
        if _seconds(stamp - self._stamps[0]) >= self.options.max_length:
            return self._cut()
        if _seconds(stamp - self._last_partial) >= self.options.partial_interval:
            self._last_partial = stamp
            return self._look(stamp)
        return []

    def _look(self, stamp: int) -> list[Result]:
        """Decode what is there so far: a partial result, an endpoint, or nothing yet.

        Hands that are gone or at rest may have ended the utterance: it is read as if they had.
        """
        moved = max(self._last_moving, self._stamps[0])
        glosses = self._decode("beam", ended=_seconds(stamp - moved) >= PAUSE)
        if not glosses:
            self._drop_before(stamp - int(self.options.lead_in * NANOSECONDS))
            return self._report(())
        if glosses[-1].start < self._last_tracked:  # not only seen at the supposed end
            moved = max(moved, glosses[-1].end)
        if _seconds(stamp - moved) >= self.options.blank_timeout:
            return self.finish()
        return self._report(glosses)

    def _report(self, glosses: tuple[RecognizedGloss, ...]) -> list[Result]:
        """A partial result, when it differs from the one before."""
        names = tuple(gloss.gloss for gloss in glosses)
        if names == self._partial:
            return []
        self._partial = names
        return [Result(False, self.utterance_id, glosses)]

    def _cut(self) -> list[Result]:
        """End an utterance that is too long between two glosses, never within one.

        The last gloss may be still under way: it is left, with its frames, to the next utterance.
        """
        glosses = self._decode("rescore", ended=False)
        if len(glosses) < 2:
            return self.finish()
        self._drop_before((glosses[-2].end + glosses[-1].start) // 2)
        self._partial = ()
        return self._final(glosses[:-1])

    def _final(self, glosses: tuple[RecognizedGloss, ...]) -> list[Result]:
        """A final result of what is sure enough; an empty utterance is no utterance."""
        sure = tuple(g for g in glosses if g.confidence >= self.options.min_confidence)
        if not sure:
            return []
        self.utterance_id += 1
        return [Result(True, self.utterance_id - 1, sure)]

    def _decode(self, method: Method, ended: bool) -> tuple[RecognizedGloss, ...]:
        """Decode the utterance up to the last frame with a hand in it, ended there or not."""
        count = int(np.searchsorted(self._stamps, self._last_tracked, side="right"))
        frames = np.stack(self._frames[:count])
        clip = self.backend.encode(with_ending(frames) if ended else frames)
        hypothesis = decode(clip.log_probs, method, self.options.decoding, clip.rescore)
        return self._glosses(hypothesis, count)

    def _glosses(self, hypothesis: Hypothesis, count: int) -> tuple[RecognizedGloss, ...]:
        patch = self.backend.frames_per_step
        return tuple(
            RecognizedGloss(
                gloss=self.glosses[span.gloss_id - 1],
                gloss_id=span.gloss_id,
                start=self._stamps[min(span.start * patch, count - 1)],
                end=self._stamps[min(span.end * patch, count) - 1],
                confidence=span.confidence,
                alternatives=tuple(
                    (self.glosses[other - 1], share) for other, share in span.alternatives
                ),
            )
            for span in hypothesis.spans
        )

    def _drop_before(self, stamp: int) -> None:
        first = int(np.searchsorted(self._stamps, stamp))
        del self._frames[:first], self._stamps[:first]


def recognize_recording(
    recognizer: StreamingRecognizer, preprocessor: Preprocessor, recording: Recording
) -> list[Result]:
    """Recognise a whole recording exactly as the live graph would.

    Returns:
        partial and final results in order.
    """
    recognizer.reset()
    block = preprocessor.process(recording)
    seams = [*np.flatnonzero(block.restarts), len(block.stamps)]
    results: list[Result] = []
    for first, last in pairwise(seams):
        results += recognizer.push(block.frames[first:last], block.stamps[first:last])
        results += recognizer.finish()
    return results


def speed(frame: NDArray[np.float32]) -> float:
    """Root mean square of the velocity features of tracked joints in a frame ``(42, 7)``."""
    tracked = frame[frame[:, CONFIDENCE] > 0]
    return float(np.sqrt(np.square(tracked[:, VELOCITY]).mean())) if len(tracked) else 0.0


def _seconds(nanoseconds: int) -> float:
    return nanoseconds / NANOSECONDS
