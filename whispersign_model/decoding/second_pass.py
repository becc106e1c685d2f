# SPDX-License-Identifier: MIT
"""The second pass: rescoring at the end of an utterance, or detection while it continues."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from whispersign_model.arrays import AnyFloats, Floats, Ints
from whispersign_model.decoding.backend import Backend
from whispersign_model.decoding.detection import detect
from whispersign_model.decoding.hypothesis import Hypothesis
from whispersign_model.decoding.search import DecodingOptions, decode
from whispersign_model.features.end_padding import with_end_padding
from whispersign_model.timestamps import seconds

DETECTION_INTERVAL = 0.5  # seconds between detections; smaller batches cost more per segment


class SecondPass(ABC):
    """Decodes an utterance as a whole, into final glosses.

    Attributes:
        lead_in: seconds of context that this pass needs before a sign.
        detected: signs found so far in the open utterance; empty if the pass runs only at the end.
        finalized: number of leading signs in ``detected`` that later frames cannot change.
    """

    lead_in = 0.0
    detected = Hypothesis((), 0.0)
    finalized = 0

    @abstractmethod
    def decode(self, frames: Floats, stamps: Sequence[int], ended: bool) -> Hypothesis:
        """Decode an utterance.

        Args:
            frames: ``(T, 42, 7)`` features up to the last frame with a hand.
            stamps: capture times of the frames, in nanoseconds.
            ended: whether the utterance ends here, which appends end padding, or continues.
        """

    def is_due(self, stamp: int) -> bool:
        """Return whether to decode now, while the hands are moving, to find signs early."""
        return False

    def forget_before(self, stamp: int) -> None:
        """Discard data for frames before ``stamp``."""
        return None


class RescoringPass(SecondPass):
    """Encodes the utterance again and rescores the CTC n-best list with the attention decoder."""

    def __init__(self, backend: Backend, options: DecodingOptions) -> None:
        self._backend = backend
        self._options = options

    def decode(self, frames: Floats, stamps: Sequence[int], ended: bool) -> Hypothesis:
        """Rescore an utterance; see :meth:`SecondPass.decode`."""
        clip = self._backend.encode(with_end_padding(frames) if ended else frames)
        return decode(clip.log_probs, "rescore", self._options, clip.second_pass)


class DetectionPass(SecondPass):
    """Detects signs in the candidate segments of an utterance, reusing earlier scores.

    A detection network finalizes a sign as soon as no later window can overlap it. It does not wait
    for an endpoint.
    """

    def __init__(self, backend: Backend, period: float) -> None:
        self._backend = backend
        longest = max(backend.candidate_segments) * backend.frames_per_step
        self.lead_in = seconds(longest * period) + DETECTION_INTERVAL
        self.detected = Hypothesis((), 0.0, complete_spans=True)
        self._last_run = 0  # stamp of the last decoded frame
        self._scores: dict[tuple[int, int], AnyFloats] = {}  # cached scores by first and last stamp

    def is_due(self, stamp: int) -> bool:
        """Return whether ``DETECTION_INTERVAL`` has passed since the last decoded frame."""
        return seconds(stamp - self._last_run) >= DETECTION_INTERVAL

    def decode(self, frames: Floats, stamps: Sequence[int], ended: bool) -> Hypothesis:
        """Detect the signs of an utterance; see :meth:`SecondPass.decode`."""
        padded = with_end_padding(frames) if ended else frames
        scorer = self._backend.segment_scorer(padded)

        def score(segments: Ints) -> AnyFloats:
            # A segment that extends into the end padding is scored anew each time.
            keys = [
                (stamps[first], stamps[last - 1]) if last <= len(stamps) else None
                for first, last in segments.tolist()
            ]
            new = [
                index for index, key in enumerate(keys) if key is None or key not in self._scores
            ]
            rows = dict(zip(new, scorer.score(segments[new]))) if new else {}
            self._scores |= {key: rows[i] for i in new if (key := keys[i]) is not None}
            return np.stack(
                [rows[i] if key is None else self._scores[key] for i, key in enumerate(keys)]
            )

        steps = len(padded) / scorer.frames_per_step
        whole_steps = math.ceil(steps) if ended else int(steps)
        self.detected = detect(whole_steps, replace(scorer, score=score), ended)
        self._last_run = stamps[-1]
        reached = whole_steps - max(scorer.lengths)
        self.finalized = sum(span.end <= reached for span in self.detected.spans)
        return self.detected

    def forget_before(self, stamp: int) -> None:
        """Forget the scores of segments that begin before ``stamp``."""
        self._scores = {key: row for key, row in self._scores.items() if key[0] >= stamp}


def open_second_pass(backend: Backend, options: DecodingOptions, period: float) -> SecondPass:
    """Return the second pass for a new utterance: detection if the network detects signs.

    Args:
        backend: the loaded network.
        options: options for the search.
        period: nanoseconds between consecutive frames.
    """
    if backend.candidate_segments:
        return DetectionPass(backend, period)
    return RescoringPass(backend, options)
