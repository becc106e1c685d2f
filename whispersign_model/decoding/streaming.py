# SPDX-License-Identifier: MIT
"""Live recognition: turn a stream of features into partial and final glosses."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from pydantic import Field

from whispersign_model.arrays import Floats, Ints
from whispersign_model.decoding.backend import Backend
from whispersign_model.decoding.confidence import ConfidenceScale
from whispersign_model.decoding.emission import ResultEmitter
from whispersign_model.decoding.endpoint import (
    Endpoint,
    EndpointDetector,
    EndpointOptions,
    Evidence,
)
from whispersign_model.decoding.hypothesis import Hypothesis
from whispersign_model.decoding.motion import HandState
from whispersign_model.decoding.result import RecognizedGloss, Result
from whispersign_model.decoding.search import DecodingOptions
from whispersign_model.decoding.second_pass import open_second_pass
from whispersign_model.decoding.time_alignment import TimeAligner
from whispersign_model.decoding.utterance import KEPT_REST, Utterance
from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.features.recipe import Recipe
from whispersign_model.recordings.recording import Recording
from whispersign_model.skeleton import FEATURES, JOINTS
from whispersign_model.timestamps import NANOSECONDS, seconds

TRIM_INTERVAL = 1.0  # seconds beyond the lead-in that may accumulate before trimming
UNFINISHED = 0.5  # at the maximum length, a gloss that ended within these seconds may be unfinished


class RecognizerOptions(EndpointOptions):
    """Options for utterance ends, partial results and the search.

    Attributes:
        chunk: number of steps that the first pass decodes at a time; it sets the rate of partial
            results.
        stable_after: seconds for which all hypotheses must agree on a gloss before it becomes
            stable.
        lead_in: seconds of frames kept while hands are in view but nothing is signed yet. A
            detection network keeps at least its longest segment.
        min_confidence: lowest confidence of a gloss in a final result.
        decoding: options for the search.
    """

    chunk: int = Field(default=2, ge=1, le=64)
    stable_after: float = Field(default=0.25, ge=0, le=10)
    lead_in: float = Field(default=4.0, gt=0.5, le=20)
    min_confidence: float = Field(default=0.0, ge=0, le=1)
    decoding: DecodingOptions = DecodingOptions()


class StreamingRecognizer:
    """Recognizes a stream of normalized features, utterance by utterance.

    Each frame passes through these stages, each of which has its own module:

    1. time alignment drops late frames, fills short gaps, and ends the utterance at a clock jump;
    2. utterance segmentation decides when an utterance starts and which rule ends it;
    3. the first pass, a beam search over the growing clip, yields partial hypotheses;
    4. the second pass decodes the utterance as a whole, with the same result as offline;
    5. emission turns hypotheses into results and emits each gloss once.

    Every decision depends on individual frames and their stamps. The same features therefore give
    the same results, however they are divided among calls to ``push``.

    Args:
        backend: the loaded network.
        glosses: the vocabulary; gloss ``i`` has id ``i + 1``.
        options: options for endpoints and search.
        recipe: recipe of the features, from the network's checkpoint; None means the default.
        scale: calibration of the network's confidences, from its checkpoint.

    Attributes:
        aligner: the time alignment, which counts dropped and filled frames.
    """

    def __init__(
        self,
        backend: Backend,
        glosses: Sequence[str],
        options: RecognizerOptions | None = None,
        recipe: Recipe | None = None,
        scale: ConfidenceScale | None = None,
    ) -> None:
        self.backend = backend
        self.options = options or RecognizerOptions()
        self._decoding = self.options.decoding.with_alpha(backend.alpha)
        recipe = recipe or Recipe()
        self._period = NANOSECONDS / recipe.rate
        self.aligner = TimeAligner(self._period, self.options.absent_timeout)
        self._endpoints = EndpointDetector(self.options, recipe)
        self._stream = backend.stream(self.options.chunk)
        self._emitter = ResultEmitter(
            glosses, scale or ConfidenceScale(), self.options.min_confidence
        )
        self.reset()

    @property
    def utterance_id(self) -> int:
        """The number of the open utterance, or of the next one if none is open."""
        return self._emitter.utterance_id

    @utterance_id.setter
    def utterance_id(self, number: int) -> None:
        self._emitter.utterance_id = number

    def reset(self) -> None:
        """Discard the open utterance without a result; the next frame starts a new stream."""
        self.aligner.reset()
        self._endpoints.reset()
        self._utterance: Utterance | None = None
        self._held: Utterance | None = None  # the last utterance, while its last posture is held
        self._since = 0  # stamp at which the open utterance would have begun without its rests

    def push(self, frames: Floats, stamps: Ints | Sequence[int]) -> list[Result]:
        """Process the next frames of the stream.

        Args:
            frames: ``(N, 42, 7)`` normalized features at the recipe's rate.
            stamps: ``(N,)`` capture times in nanoseconds.

        Returns:
            the results in order; most calls return none.

        Raises:
            ValueError: the frames have another shape, or there is not one stamp per frame.
        """
        expected = (len(stamps), JOINTS, FEATURES)
        if frames.shape != expected:
            raise ValueError(f"frames are {frames.shape}, not {expected} as there are stamps")
        results: list[Result] = []
        for frame, stamp in zip(frames, stamps):
            is_open = self._utterance is not None
            endpoint, aligned_frames = self.aligner.push(frame, int(stamp), fill=is_open)
            if endpoint:
                results += self._end(endpoint)
                self._endpoints.reset()
                self._held = None
            for aligned in aligned_frames:
                results += self._advance(*aligned)
        return results

    def finish(self) -> list[Result]:
        """End the stream: close the open utterance, if there is one, and return its results."""
        results = self._end(Endpoint.END_OF_STREAM)
        self.reset()
        return results

    def _advance(self, frame: Floats, stamp: int) -> list[Result]:
        """Process the next frame of the aligned stream."""
        starts = self._endpoints.push(frame, stamp)
        if self._utterance is None and starts:
            self._utterance = self._resumed() or self._opened()
            self._since = self._start_of(self._utterance, stamp)
        if self._utterance is not None:
            return self._decode(self._utterance, frame, stamp)
        if self._endpoints.motion.state is HandState.ABSENT:
            self._held = None
        return []

    def _start_of(self, utterance: Utterance, stamp: int) -> int:
        """Return the stamp at which an utterance would have begun without its rests."""
        return stamp - round(len(utterance.frames) * self._period)

    def _opened(self) -> Utterance:
        """Open a new utterance."""
        self._reset_utterance()
        return Utterance(self._stream, self.backend.frames_per_step, self.options.decoding)

    def _resumed(self) -> Utterance | None:
        """Reopen the held utterance when its last posture ends; return None if there is none.

        The movement after a hold may complete the last sign, or withdraw the hand. It is therefore
        decoded together with that sign, of which most of the hold is left out.
        """
        utterance, self._held = self._held, None
        if utterance is None:
            return None
        utterance.rewind()
        first = utterance.stamps[-min(self._lead_in_frames(), len(utterance.stamps))]
        utterance.forget_before(self._emitter.resume(first, utterance.stamps[-1]))
        self._restart_utterance()
        return utterance

    def _decode(self, utterance: Utterance, frame: Floats, stamp: int) -> list[Result]:
        """Pass the next frame of the open utterance through both passes and the endpoint rules."""
        motion = self._endpoints.motion
        if motion.state is HandState.MOVING:
            utterance.rewind()
        has_new_rows = utterance.append(frame, stamp, motion.speed)
        if motion.state is HandState.RESTING and motion.rest(stamp) >= KEPT_REST:
            utterance.mark()
        length = seconds(stamp - max(self._since, utterance.stamps[0]))
        endpoint = self._endpoints.from_motion(length, stamp)
        if endpoint is Endpoint.MAX_LENGTH:
            return self._cut(utterance)
        if endpoint is Endpoint.TRAILING_SILENCE:
            self._held = utterance
        if endpoint:
            return self._end(endpoint)
        if has_new_rows:
            utterance.stabilize(stamp, round(self.options.stable_after * NANOSECONDS))
        if self._endpoints.pauses(stamp):
            return self._decode_pause(utterance, has_new_rows)
        self._paused = False
        return self._decode_motion(utterance) if has_new_rows else []

    def _reset_utterance(self) -> None:
        """Reset the state of the open utterance, at its start or after a cut."""
        self._emitter.reset()
        self._restart_utterance()

    def _restart_utterance(self) -> None:
        """Reset everything but what is already emitted."""
        self._endpoints.restart()
        self._second_pass = open_second_pass(self.backend, self._decoding, self._period)
        self._paused = False  # whether the hypotheses below are of this pause
        self._partial: tuple[int, ...] = ()  # glosses so far, at the end hypothesis
        self._end_hypothesis = Hypothesis((), 0.0)
        self._has_new = False  # whether the end hypothesis has glosses that are not yet final

    def _decode_motion(self, utterance: Utterance) -> list[Result]:
        """Return the results of both passes while the hands are moving."""
        results: list[Result] = []
        if self._second_pass.is_due(utterance.stamps[-1]):
            glosses = self._decode_whole(utterance, ended=False)
            results = self._emitter.final(utterance, glosses[: self._second_pass.finalized])
        if not (utterance.best() or self._second_pass.detected.ids):
            self._trim(utterance)
        return results + self._emitter.partial(utterance)

    def _decode_pause(self, utterance: Utterance, has_new_rows: bool) -> list[Result]:
        """Return results as if the utterance ended here; finalize glosses if a rule applies."""
        results: list[Result] = []
        if not self._paused or (has_new_rows and utterance.best() != self._partial):
            self._paused, self._partial = True, utterance.best()
            self._end_hypothesis = utterance.end_hypothesis()
            glosses = self._emitter.recognized(utterance, self._end_hypothesis, 0)
            self._has_new = self._emitter.count_emitted(glosses) < len(glosses)
            results = self._emitter.partial(utterance, self._end_hypothesis)
        evidence = Evidence(self._partial, self._end_hypothesis, self._has_new)
        endpoint = self._endpoints.from_glosses(utterance.stamps[-1], evidence)
        if endpoint is None:
            return results
        glosses = self._decode_whole(utterance, ended=True)
        utterance.rescored = utterance.tracked
        return results + self._emitter.final(utterance, glosses, endpoint)

    def _lead_in_frames(self) -> int:
        """Return the number of frames that are kept although they contain no new gloss."""
        lead_in = min(self.options.lead_in, self.options.max_length / 2)
        return round(max(lead_in, self._second_pass.lead_in) * NANOSECONDS / self._period)

    def _trim(self, utterance: Utterance) -> None:
        """Drop the frames before the lead-in while nothing is signed."""
        if self._emitter.emitted:
            return
        kept = self._lead_in_frames()
        if len(utterance.frames) >= kept + min(
            TRIM_INTERVAL * NANOSECONDS / self._period, kept / 2
        ):
            utterance.forget_before(utterance.stamps[-kept])
            self._second_pass.forget_before(utterance.stamps[0])

    def _cut(self, utterance: Utterance) -> list[Result]:
        """Cut an utterance that has reached the maximum length, between two glosses.

        The last gloss may be unfinished. It and its frames move to the next utterance.
        """
        stamp = utterance.stamps[-1]
        glosses = self._decode_whole(utterance, ended=False)
        unfinished = glosses and seconds(stamp - glosses[-1].end) < UNFINISHED
        if unfinished and self._emitter.count_emitted(glosses) < len(glosses):
            *complete, last = glosses
            kept_from = (complete[-1].end + last.start) // 2 if complete else stamp
        else:
            complete, kept_from = list(glosses), max((g.end + 1 for g in glosses), default=stamp)
        if not complete:
            return self._end(Endpoint.MAX_LENGTH)
        results = self._emitter.final(utterance, complete, Endpoint.MAX_LENGTH)
        utterance.forget_before(max(kept_from, utterance.stamps[-self._lead_in_frames()]))
        self._since = self._start_of(utterance, stamp)
        self._reset_utterance()
        return results

    def _end(self, endpoint: Endpoint) -> list[Result]:
        """Close the open utterance, if there is one; return its final result."""
        utterance, self._utterance = self._utterance, None
        if utterance is None or utterance.rescored >= utterance.tracked:
            return []
        return self._emitter.final(utterance, self._decode_whole(utterance, ended=True), endpoint)

    def _decode_whole(self, utterance: Utterance, ended: bool) -> tuple[RecognizedGloss, ...]:
        """Run the second pass over the utterance up to its last frame with a hand."""
        frames = np.stack(utterance.frames[: utterance.tracked])
        stamps = utterance.stamps[: utterance.tracked]
        hypothesis = self._second_pass.decode(frames, stamps, ended)
        return self._emitter.recognized(utterance, hypothesis, len(hypothesis.ids))


def recognize_recording(
    recognizer: StreamingRecognizer, preprocessor: Preprocessor, recording: Recording
) -> list[Result]:
    """Recognize a whole recording exactly as the live graph does.

    Returns:
        the partial and final results in order.
    """
    recognizer.reset()
    block = preprocessor.process(recording)
    starts = [*np.flatnonzero(block.restarts), len(block.stamps)]
    results: list[Result] = []
    for first, last in pairwise(starts):
        results += recognizer.push(block.frames[first:last], block.stamps[first:last])
        results += recognizer.finish()
    return results
