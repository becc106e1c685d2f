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
    Pause,
)
from whispersign_model.decoding.hypothesis import Hypothesis
from whispersign_model.decoding.result import RecognizedGloss, Result
from whispersign_model.decoding.search import DecodingOptions
from whispersign_model.decoding.second_pass import open_second_pass
from whispersign_model.decoding.time_alignment import TimeAligner
from whispersign_model.decoding.utterance import Utterance
from whispersign_model.features.preprocessor import Preprocessor
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
        rate: frames per second, as in the recipe.
        scale: calibration of the network's confidences, from its checkpoint.

    Attributes:
        aligner: the time alignment, which counts dropped and filled frames.
    """

    def __init__(
        self,
        backend: Backend,
        glosses: Sequence[str],
        options: RecognizerOptions | None = None,
        rate: float = 60.0,
        scale: ConfidenceScale | None = None,
    ) -> None:
        self.backend = backend
        self.options = options or RecognizerOptions()
        self._decoding = self.options.decoding.with_alpha(backend.alpha)
        self._period = NANOSECONDS / rate
        self.aligner = TimeAligner(self._period, self.options.absent_timeout)
        self._endpoints = EndpointDetector(self.options)
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
            for aligned in aligned_frames:
                if self._utterance or self._start(*aligned):
                    results += self._decode(*aligned)
        return results

    def finish(self) -> list[Result]:
        """End the stream: close the open utterance, if there is one, and return its results."""
        results = self._end(Endpoint.END_OF_STREAM)
        self.reset()
        return results

    def _start(self, frame: Floats, stamp: int) -> bool:
        """Open an utterance if this frame starts one; return whether it does."""
        if not self._endpoints.starts(frame, stamp):
            return False
        self._utterance = Utterance(
            self._stream, self.backend.frames_per_step, self.options.decoding
        )
        self._reset_utterance()
        return True

    def _decode(self, frame: Floats, stamp: int) -> list[Result]:
        """Pass the next frame of the open utterance through both passes and the endpoint rules."""
        utterance = self._utterance
        assert utterance is not None
        speed = self._endpoints.push(frame, stamp)
        has_new_rows = utterance.append(frame, stamp, speed)
        endpoint = self._endpoints.from_motion(utterance.stamps[0], stamp)
        if endpoint is Endpoint.MAX_LENGTH:
            return self._cut(utterance)
        if endpoint:
            return self._end(endpoint)
        if has_new_rows:
            utterance.stabilize(stamp, round(self.options.stable_after * NANOSECONDS))
        pause = self._endpoints.pause(stamp)
        if pause:
            return self._decode_pause(utterance, pause, has_new_rows)
        self._pause = Pause.NONE
        return self._decode_motion(utterance) if has_new_rows else []

    def _reset_utterance(self) -> None:
        """Reset the state of the open utterance, at its start or after a cut."""
        self._endpoints.restart()
        self._second_pass = open_second_pass(self.backend, self._decoding, self._period)
        self._emitter.reset()
        self._pause = Pause.NONE  # hypothesis with the most glosses in this pause
        self._partial: tuple[int, ...] = ()  # glosses so far, at the end hypothesis
        self._end_hypothesis = Hypothesis((), 0.0)

    def _decode_motion(self, utterance: Utterance) -> list[Result]:
        """Return the results of both passes while the hands are moving."""
        results: list[Result] = []
        if self._second_pass.is_due(utterance.stamps[-1]):
            glosses = self._decode_whole(utterance, ended=False)
            results = self._emitter.final(utterance, glosses[: self._second_pass.finalized])
        if not (utterance.best() or self._second_pass.detected.ids):
            self._trim(utterance)
        return results + self._emitter.partial(utterance)

    def _decode_pause(self, utterance: Utterance, pause: Pause, has_new_rows: bool) -> list[Result]:
        """Return results as if the utterance ended here; finalize it if a rule applies."""
        results: list[Result] = []
        if pause > self._pause or (has_new_rows and utterance.best() != self._partial):
            self._pause, self._partial = pause, utterance.best()
            self._end_hypothesis = utterance.end_hypothesis()
            results = self._emitter.partial(utterance, self._end_hypothesis)
        spans = self._end_hypothesis.spans or self._second_pass.detected.spans
        if not spans:
            self._trim(utterance)
        silence = utterance.silence_after(spans[-1]) if spans else None
        evidence = Evidence(self._partial, self._end_hypothesis, self._emitter.emitted, silence)
        endpoint = self._endpoints.from_glosses(utterance.stamps[-1], evidence)
        if endpoint is None:
            return results
        if not endpoint.is_early:
            return results + self._end(endpoint)
        glosses = self._decode_whole(utterance, ended=True)
        utterance.rescored = utterance.tracked
        return results + self._emitter.final(utterance, glosses, endpoint)

    def _trim(self, utterance: Utterance) -> None:
        """Drop the frames before the lead-in while nothing is signed."""
        if self._emitter.emitted:
            return
        lead_in = min(self.options.lead_in, self.options.max_length / 2)
        lead_in = max(lead_in, self._second_pass.lead_in)
        first, last = utterance.stamps[0], utterance.stamps[-1]
        if seconds(last - first) >= lead_in + min(TRIM_INTERVAL, lead_in / 2):
            utterance.forget_before(last - round(lead_in * NANOSECONDS))
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
        utterance.cut(kept_from)
        self._reset_utterance()
        if not utterance.frames:
            self._utterance = None
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
