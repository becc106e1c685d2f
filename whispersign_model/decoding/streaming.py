"""Live recognition: features go in as they come, partial and final glosses come out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from whispersign_model.decoding.alignment import extents
from whispersign_model.decoding.backend import Backend
from whispersign_model.decoding.confidence import ConfidenceScale
from whispersign_model.decoding.detection import StreamingDetector
from whispersign_model.decoding.edit_distance import continuation
from whispersign_model.decoding.endpoint import EndpointOptions, Hands
from whispersign_model.decoding.gap_filling import interpolate_gap
from whispersign_model.decoding.hypothesis import Hypothesis
from whispersign_model.decoding.result import RecognizedGloss, Result
from whispersign_model.decoding.search import DecodingOptions, decode
from whispersign_model.decoding.utterance import Utterance
from whispersign_model.features.end_padding import with_end_padding
from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.features.streams import Admission, StreamClock
from whispersign_model.recordings.recording import Recording
from whispersign_model.skeleton import CONFIDENCE, FEATURES, JOINTS
from whispersign_model.timestamps import NANOSECONDS, seconds

SLACK = 1.0  # seconds beyond the lead-in after which it is trimmed: not in every frame
LOOK = 0.5  # seconds from look to look for signs that are finalized: small batches are dear
UNDER_WAY = 0.5  # seconds since its end for which a gloss may be unfinished at the maximum length


class RecognizerOptions(EndpointOptions):
    """When an utterance ends, how often it is looked at, and what is kept.

    Attributes:
        chunk: patches that the first pass reads at a time; partial results come as often.
        stable_after: seconds for which all hypotheses must agree on a gloss until it is stable.
        lead_in: seconds kept while hands are seen and nothing is signed yet; for a network that
            spots as many as it needs, at least.
        min_confidence: a gloss below it is left out of the final result.
        decoding: how the search works.
    """

    chunk: int = Field(default=2, ge=1, le=64)
    stable_after: float = Field(default=0.25, ge=0, le=10)
    lead_in: float = Field(default=4.0, gt=0.5, le=20)
    min_confidence: float = Field(default=0.0, ge=0, le=1)
    decoding: DecodingOptions = DecodingOptions()


class StreamingRecognizer:
    """Recognises a stream of normalised features, utterance by utterance.

    Two passes: a growing clip and a beam give partial results while the hands sign; at an endpoint
    the network reads the utterance once more as a whole, and the attention decoder rescores what
    the beam finds in it. So a final result is what the same frames give offline. A network that
    spots signs waits for no endpoint: what no segment to come can change is final.

    Every decision depends on single frames and their stamps: the same features give the same
    results however they are cut into pushes. Late and repeated frames are left out; a jump in time
    closes the utterance; frames that are missing for less than ``absent_timeout`` are filled in.

    Args:
        backend: the loaded network.
        glosses: the vocabulary; gloss ``i`` has id ``i + 1``.
        options: endpoints and search.
        rate: frames a second, the recipe's.
        scale: what the network's confidences are worth, from its checkpoint; one threshold on the
            scaled confidence is a threshold of its own for every gloss.

    Attributes:
        utterance_id: of the utterance under way, or of the next one.
        filled: missing frames that were filled in, so far.
        not_finite: frames left out because a number in them is none, so far.
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
        self.glosses = tuple(glosses)
        self.options = options or RecognizerOptions()
        self.utterance_id = 0
        self.filled = self.not_finite = 0
        self._decoding = self.options.decoding.weighed(backend.alpha)
        self._period = NANOSECONDS / rate
        self._scale = scale or ConfidenceScale()
        self._clock = StreamClock()
        self._stream = backend.stream(self.options.chunk)
        lead_in = min(self.options.lead_in, self.options.max_length / 2)
        if backend.candidate_segments:
            longest = max(backend.candidate_segments) * backend.frames_per_step
            lead_in = max(lead_in, seconds(longest * self._period) + LOOK)
        self._lead_in = lead_in
        self.reset()

    @property
    def out_of_order(self) -> int:
        """Late and repeated frames left out, so far."""
        return self._clock.out_of_order

    def reset(self) -> None:
        """Forget the current utterance; nothing of it is given out."""
        self._clock.reset()
        self._before: tuple[NDArray[np.float32], int] | None = None  # last frame and its stamp
        self._hands: Hands | None = None
        self._close()

    def _close(self) -> None:
        self._utterance: Utterance | None = None
        self._forget()

    def _forget(self) -> None:
        """Know nothing of glosses and pauses, as at the beginning of an utterance."""
        self._told: tuple[tuple[int, ...], int] = ((), 0)  # glosses and stable ones last reported
        self._asked = False  # whether the network was sure in this pause
        self._pause = 0  # how long the hands have paused: 0, 1 (sure), 2 (trailing_silence_timeout)
        self._best: tuple[int, ...] = ()  # glosses read when it was last asked
        self._supposed = Hypothesis((), 0.0)  # ... what would be read if the utterance ended
        self._given: tuple[int, ...] = ()  # glosses that are final while the utterance stays open
        self._given_at = 0  # ... frames that they were read from
        self._spotting = StreamingDetector()  # in the utterance

    def push(
        self, frames: NDArray[np.float32], stamps: NDArray[np.int64] | Sequence[int]
    ) -> list[Result]:
        """Take the next frames of the stream.

        Args:
            frames: ``(N, 42, 7)`` normalised features at the recipe's rate.
            stamps: ``(N,)`` capture times in nanoseconds.

        Returns:
            results in order; most pushes give none.

        Raises:
            ValueError: frames of another shape, or not one stamp for each.
        """
        expected = (len(stamps), JOINTS, FEATURES)
        if frames.shape != expected:
            raise ValueError(f"frames are {frames.shape}, not {expected} as there are stamps")
        results: list[Result] = []
        for frame, stamp in zip(frames, stamps):
            if not np.isfinite(frame).all():
                self.not_finite += 1
                continue
            results += self._admit(frame, int(stamp))
        return results

    def finish(self) -> list[Result]:
        """The stream has ended: close the utterance, if there is one."""
        results = self._end() if self._utterance else []
        self.reset()
        return results

    def _admit(self, frame: NDArray[np.float32], stamp: int) -> list[Result]:
        """Keep time: drop what comes late, end at a jump, fill in what is missing."""
        admission = self._clock.admit(stamp)
        if admission is Admission.DROP:
            return []
        results: list[Result] = []
        if self._before:
            before, last = self._before
            if admission is Admission.START or seconds(stamp - last) >= self.options.absent_timeout:
                results += self._end() if self._utterance else []
                self._hands = None  # hands that are there afterwards have come
            elif self._utterance:
                missing = max(round((stamp - last) / self._period) - 1, 0)
                self.filled += missing
                for number, filled in enumerate(
                    interpolate_gap(before, frame, missing, self._period), 1
                ):
                    results += self._take(filled, last + (stamp - last) * number // (missing + 1))
        self._before = frame.copy(), stamp
        return results + self._take(frame, stamp)

    def _take(self, frame: NDArray[np.float32], stamp: int) -> list[Result]:
        options, utterance = self.options, self._utterance
        if utterance is None:
            if not self._begins(frame, stamp):
                return []
            utterance = self._utterance = Utterance(
                self._stream, self.backend.frames_per_step, options.decoding
            )
            self._hands = Hands(options.rest_share, stamp)
        hands = self._hands
        assert hands is not None
        read = utterance.append(frame, stamp, hands.see(frame, stamp))
        if seconds(stamp - hands.tracked) >= options.absent_timeout:
            return self._end()
        if seconds(stamp - utterance.stamps[0]) >= options.max_length:
            return self._cut(utterance, stamp)
        if read:
            utterance.finalize(stamp, round(options.stable_after * NANOSECONDS))
        return self._look(utterance, stamp, read)

    def _begins(self, frame: NDArray[np.float32], stamp: int) -> bool:
        """Whether an utterance begins with a frame: hands come, or move again after they rested.

        Hands that are held still at the end of an utterance are no second one.
        """
        if not frame[:, CONFIDENCE].any():
            self._hands = None
            return False
        if self._hands is not None:
            self._hands.see(frame, stamp)
            return self._hands.moving == stamp
        return True

    def _look(self, utterance: Utterance, stamp: int, read: bool) -> list[Result]:
        """Say what is read so far, or end the utterance when the hands have paused for it."""
        pause = self._paused(stamp)
        if not pause:
            self._pause = 0
            self._asked = False
            if not read:
                return []
            results: list[Result] = []
            if self.backend.candidate_segments and seconds(stamp - self._spotting.looked) >= LOOK:
                glosses = self._reread(utterance, ended=False)
                results = self._give(utterance, glosses[: self._spotting.finalized])
            if not (utterance.best() or self._spotting.found.ids):
                self._trim(utterance, stamp)
            return results + self._report(utterance, None)
        if pause > self._pause or (read and utterance.best() != self._best):
            self._pause, self._best = pause, utterance.best()
            self._supposed = utterance.ended()
            results = self._report(utterance, self._supposed)
        else:
            results = []
        if not (self._supposed.ids or self._spotting.found.ids):
            self._trim(utterance, stamp)
        elif pause == 2 and self._is_blank(utterance, stamp):
            return results + self._end()
        elif not self._asked and self._is_sure():
            self._asked = True  # once in a pause
            results += self._give(utterance, self._reread(utterance, ended=True))
            self._given_at = utterance.signed
        return results

    def _paused(self, stamp: int) -> int:
        """Return 2 when hands have rested long enough for any utterance, 1 for a sure one, or 0."""
        hands, options = self._hands, self.options
        assert hands is not None
        quiet = seconds(stamp - hands.moving)
        if quiet >= options.trailing_silence_timeout:
            return 2
        gone = seconds(stamp - hands.tracked) >= options.early_absent_timeout
        return int(gone or quiet >= options.early_rest_timeout)

    def _is_sure(self) -> bool:
        """Whether there are new glosses that are the same if the utterance ends or goes on."""
        ids = self._supposed.ids
        certain = bool(ids) and self._supposed.spans[-1].confidence >= self.options.early_confidence
        return certain and ids == self._best and continuation(self._given, ids) < len(ids)

    def _is_blank(self, utterance: Utterance, stamp: int) -> bool:
        """Whether the last gloss, if it is not only seen at the supposed end, was long ago."""
        last = (self._supposed if self._supposed.ids else self._spotting.found).spans[-1]
        patch = self.backend.frames_per_step
        if last.start * patch >= utterance.signed:
            return True
        end = utterance.stamps[min(last.end * patch, utterance.signed) - 1]
        return seconds(stamp - end) >= self.options.trailing_silence_timeout

    def _trim(self, utterance: Utterance, stamp: int) -> None:
        """Forget what lies far back while nothing is signed."""
        if self._given:
            return
        lead_in = self._lead_in
        if seconds(stamp - utterance.stamps[0]) >= lead_in + min(SLACK, lead_in / 2):
            utterance.forget_before(stamp - round(lead_in * NANOSECONDS))
            self._spotting.forget_before(utterance.stamps[0])

    def _report(self, utterance: Utterance, hypothesis: Hypothesis | None) -> list[Result]:
        """A partial result, when it differs from the one before."""
        ids, stable = hypothesis.ids if hypothesis else utterance.best(), len(utterance.stable)
        first = continuation(self._given, ids)
        told = ids[first:], max(stable - first, 0)
        if told == self._told:
            return []
        self._told = told
        glosses = self._glosses(utterance, hypothesis or utterance.hypothesis(), stable)[first:]
        return [Result(False, self.utterance_id, glosses, utterance.stamps[-1])]

    def _cut(self, utterance: Utterance, stamp: int) -> list[Result]:
        """End an utterance that is too long between two glosses, never within one.

        The last gloss may be still under way: it is left, with its frames, to the next utterance.
        """
        glosses = self._reread(utterance, ended=False)
        under_way = glosses and seconds(stamp - glosses[-1].end) < UNDER_WAY
        if under_way and continuation(self._given, _ids(glosses)) < len(glosses):
            complete = glosses[:-1]
            kept_from = (sum(gloss.end for gloss in complete[-1:]) + glosses[-1].start) // 2
        else:
            complete, kept_from = glosses, max((gloss.end + 1 for gloss in glosses), default=stamp)
        if not complete:
            return self._end()
        results = self._give(utterance, complete)
        utterance.cut(kept_from)
        self._forget()
        if not utterance.frames:
            self._close()
        return results

    def _end(self) -> list[Result]:
        """Close the utterance and give its final result."""
        utterance = self._utterance
        assert utterance is not None
        results: list[Result] = []
        if self._given_at < utterance.signed:  # else all there is has been read
            results = self._give(utterance, self._reread(utterance, ended=True))
        self._close()
        return results

    def _give(self, utterance: Utterance, glosses: Sequence[RecognizedGloss]) -> list[Result]:
        """A final result of what is new and sure enough; without it there is none.

        Unsure glosses after the last sure one may be under way: they are looked at again.
        """
        first, last = continuation(self._given, _ids(glosses)), len(glosses)
        while last > first and glosses[last - 1].confidence < self.options.min_confidence:
            last -= 1
        if last > first:
            self._given = _ids(glosses[:last])
        new = glosses[first:last]
        sure = tuple(gloss for gloss in new if gloss.confidence >= self.options.min_confidence)
        if not sure:
            return []
        self._told = (), 0
        self.utterance_id += 1
        return [Result(True, self.utterance_id - 1, sure, utterance.stamps[-1])]

    def _reread(self, utterance: Utterance, ended: bool) -> tuple[RecognizedGloss, ...]:
        """The second pass: the whole utterance up to the last frame with a hand in it."""
        frames = np.stack(utterance.frames[: utterance.signed])
        frames = with_end_padding(frames) if ended else frames
        if self.backend.candidate_segments:
            segment_scorer, stamps = (
                self.backend.segment_scorer(frames),
                utterance.stamps[: utterance.signed],
            )
            hypothesis = self._spotting.look(segment_scorer, len(frames), stamps, ended)
        else:
            clip = self.backend.encode(frames)
            hypothesis = decode(clip.log_probs, "rescore", self._decoding, clip.second_pass)
        return self._glosses(utterance, hypothesis, len(hypothesis.ids))  # all of them stable

    def _glosses(
        self, utterance: Utterance, hypothesis: Hypothesis, stable: int
    ) -> tuple[RecognizedGloss, ...]:
        patch, count = self.backend.frames_per_step, utterance.signed
        speeds = np.array(utterance.speeds[:count])
        peaks: list[tuple[int, int]] = []
        limit = count  # what is only seen at the supposed end takes the last frames
        for span in reversed(hypothesis.spans):
            end = min(span.end * patch, limit)
            limit = min(span.start * patch, end - 1)
            peaks.insert(0, (limit, end))
        places = peaks if hypothesis.whole else extents(peaks, speeds)
        return tuple(
            RecognizedGloss(
                gloss=self.glosses[span.gloss_id - 1],
                gloss_id=span.gloss_id,
                start=utterance.stamps[first],
                end=utterance.stamps[last - 1],
                confidence=self._scale(self.glosses[span.gloss_id - 1], span.confidence),
                alternatives=tuple(
                    (self.glosses[other - 1], share) for other, share in span.alternatives
                ),
                stable=index < stable,
            )
            for index, (span, (first, last)) in enumerate(zip(hypothesis.spans, places))
        )


def _ids(glosses: Sequence[RecognizedGloss]) -> tuple[int, ...]:
    return tuple(gloss.gloss_id for gloss in glosses)


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
