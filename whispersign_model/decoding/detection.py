"""Detection: signs in a stream of other movement, found among candidate segments."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whispersign_model.decoding.ctc import BLANK
from whispersign_model.decoding.hypothesis import Hypothesis, Span

HOP = 2  # steps from segment to segment of the same length
OVERLAP = 0.2  # share of the shorter of two segments that both may have in common
ALTERNATIVES = 7  # other glosses named for a sign: with it as many as the beam has hypotheses
AT_ONCE = 256  # segments read together: 10 MB of joints
Reader = Callable[[NDArray[np.int64]], NDArray[np.floating]]


@dataclass(frozen=True)
class SegmentScorer:
    """What a network says of segments of one clip.

    Attributes:
        lengths: steps of a segment; so long are the signs that it was trained on.
        least: least probability of a sign.
        frames_per_step: frames that a step stands for.
        read: from segments ``(N, 2)``, the first frame and the frame after the last, to ``(N, V)``
            log-probabilities of what is signed there; column 0 is nothing.
    """

    lengths: tuple[int, ...]
    least: float
    frames_per_step: int
    read: Reader


class StreamingDetector:
    """The signs of a growing clip; no segment of it is read twice.

    Attributes:
        found: when it was looked at last.
        finalized: number of leading signs that are final: no incomplete segment overlaps them.
        looked: stamp of the last frame that was looked at.
    """

    def __init__(self) -> None:
        self.found = Hypothesis((), 0.0, whole=True)
        self.finalized = self.looked = 0
        self._said: dict[tuple[int, int], NDArray[np.floating]] = {}

    def look(
        self, segment_scorer: SegmentScorer, frames: int, stamps: Sequence[int], ended: bool
    ) -> Hypothesis:
        """Find the signs of the clip as it is now; see :func:`spot`.

        Args:
            segment_scorer: the network's, of the clip.
            frames: of the clip.
            stamps: of its frames; a segment that reaches beyond them is read each time.
            ended: see :func:`spot`.
        """

        def read(segments: NDArray[np.int64]) -> NDArray[np.floating]:
            keys = [
                (stamps[first], stamps[last - 1]) if last <= len(stamps) else None
                for first, last in segments.tolist()
            ]
            new = [index for index, key in enumerate(keys) if key is None or key not in self._said]
            rows = dict(zip(new, segment_scorer.read(segments[new]))) if new else {}
            self._said |= {key: rows[index] for index in new if (key := keys[index]) is not None}
            return np.stack(
                [rows[i] if key is None else self._said[key] for i, key in enumerate(keys)]
            )

        steps = frames / segment_scorer.frames_per_step
        steps = math.ceil(steps) if ended else int(steps)
        self.found = detect(steps, replace(segment_scorer, read=read), ended)
        self.looked = stamps[-1]
        reached = steps - max(segment_scorer.lengths)
        self.finalized = sum(span.end <= reached for span in self.found.spans)
        return self.found

    def forget_before(self, stamp: int) -> None:
        """Let go of segments that begin before ``stamp``."""
        self._said = {key: row for key, row in self._said.items() if key[0] >= stamp}


def detect(steps: int, segment_scorer: SegmentScorer, ended: bool = True) -> Hypothesis:
    """Find the signs of a clip.

    Of all segments in which a gloss is probable enough, and more so than nothing, the most
    probable one is a sign, then the next one that does not overlap it, and so on (non-maximum
    suppression, as for objects in pictures).

    Args:
        steps: of the clip.
        segment_scorer: the network's.
        ended: the clip is over; else it goes on, and only whole segments are looked at.

    Returns:
        a hypothesis whose spans are whole signs; its score is the sum of their log-probabilities.
    """
    places = candidate_segments(steps, segment_scorer.lengths, ended)
    if not places:
        return Hypothesis((), 0.0, whole=True)
    frames = np.array(places, np.int64) * segment_scorer.frames_per_step
    parts = [frames[first : first + AT_ONCE] for first in range(0, len(frames), AT_ONCE)]
    said = np.concatenate([segment_scorer.read(part) for part in parts])
    best = said.argmax(axis=1)
    height = said.max(axis=1)
    signs = np.flatnonzero((best != BLANK) & (np.exp(height) >= segment_scorer.least))
    chosen: list[int] = []
    for index in signs[np.argsort(-height[signs], kind="stable")]:
        if all(common(places[index], places[other]) <= OVERLAP for other in chosen):
            chosen.append(int(index))
    chosen.sort(key=lambda index: places[index])
    found = Hypothesis(
        tuple(int(best[index]) for index in chosen),
        float(sum(height[index] for index in chosen)),
        tuple(_span(places[index], said[index]) for index in chosen),
        whole=True,
    )
    return replace(found, n_best=(found,))


def candidate_segments(
    steps: int, lengths: Sequence[int], ended: bool = True
) -> list[tuple[int, int]]:
    """Return the segments of a clip, first step and step after the last, each of them once.

    One that reaches beyond the end of a clip that has ended is cut there, if at least half of it is
    left; a clip that is shorter than any is one segment.
    """
    places = {
        (first, min(first + length, steps))
        for length in lengths
        for first in range(0, max(steps - length // 2, 1) if ended else steps - length + 1, HOP)
    }
    return sorted(places)


def common(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Return the share of the shorter of two segments that lies in both."""
    overlap = min(one[1], other[1]) - max(one[0], other[0])
    return max(0, overlap) / min(one[1] - one[0], other[1] - other[0])


def _span(place: tuple[int, int], said: NDArray[np.floating]) -> Span:
    order = [int(gloss_id) for gloss_id in np.argsort(-said, kind="stable") if gloss_id != BLANK]
    shares = np.exp(said)
    others = tuple((other, float(shares[other])) for other in order[1 : ALTERNATIVES + 1])
    return Span(order[0], *place, float(shares[order[0]]), others)
