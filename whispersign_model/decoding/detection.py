# SPDX-License-Identifier: MIT
"""Detection: find the signs in a stream of other movement, among candidate segments."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from whispersign_model.arrays import AnyFloats, Ints
from whispersign_model.decoding.ctc import BLANK
from whispersign_model.decoding.hypothesis import Hypothesis, Span

STRIDE = 2  # steps between the starts of two segments of the same length
MAX_OVERLAP = 0.2  # largest overlap of two detected signs, as a share of the shorter one
MAX_ALTERNATIVES = 7  # alternatives per sign; with the sign's own gloss, as many as a beam holds
BATCH_SIZE = 256  # number of segments scored at a time: 10 MB of joint data

ScoreSegments = Callable[[Ints], AnyFloats]


@dataclass(frozen=True)
class SegmentScorer:
    """Classifies segments of one clip with the network.

    Attributes:
        lengths: lengths of the candidate segments in steps, taken from the signs in the training
            set.
        score_threshold: lowest probability that counts as a sign.
        frames_per_step: number of frames in a step.
        score: function that takes segments ``(N, 2)``, each a first frame and the frame after the
            last, and returns the log-probabilities ``(N, V)`` of their glosses. Column 0 means no
            sign.
    """

    lengths: tuple[int, ...]
    score_threshold: float
    frames_per_step: int
    score: ScoreSegments


def detect(steps: int, segment_scorer: SegmentScorer, ended: bool = True) -> Hypothesis:
    """Detect the signs of a clip by non-maximum suppression.

    A segment is a candidate if its most probable class is a gloss that reaches the threshold. The
    most probable candidate becomes a sign. Then each further candidate, in order of probability,
    becomes a sign unless it overlaps an earlier one too much.

    Args:
        steps: number of steps in the clip.
        segment_scorer: the network's classifier for this clip.
        ended: whether the clip has ended. If it continues, only segments that lie entirely inside
            it are candidates.

    Returns:
        a hypothesis whose spans cover whole signs. Its score is the sum of their log-probabilities.
    """
    segments = candidate_segments(steps, segment_scorer.lengths, ended)
    if not segments:
        return Hypothesis((), 0.0, complete_spans=True)
    frames = np.array(segments, np.int64) * segment_scorer.frames_per_step
    batches = [frames[first : first + BATCH_SIZE] for first in range(0, len(frames), BATCH_SIZE)]
    log_probs = np.concatenate([segment_scorer.score(batch) for batch in batches])
    best = log_probs.argmax(axis=1)
    scores = log_probs.max(axis=1)
    signs = np.flatnonzero((best != BLANK) & (np.exp(scores) >= segment_scorer.score_threshold))
    chosen: list[int] = []
    for index in signs[np.argsort(-scores[signs], kind="stable")]:
        if all(overlap(segments[index], segments[other]) <= MAX_OVERLAP for other in chosen):
            chosen.append(int(index))
    chosen.sort(key=lambda index: segments[index])
    detected = Hypothesis(
        tuple(int(best[index]) for index in chosen),
        float(sum(scores[index] for index in chosen)),
        tuple(_span(segments[index], log_probs[index]) for index in chosen),
        complete_spans=True,
    )
    return replace(detected, n_best=(detected,))


def candidate_segments(
    steps: int, lengths: Sequence[int], ended: bool = True
) -> list[tuple[int, int]]:
    """Return a clip's segments as (first step, step after the last), sorted and unique.

    If the clip has ended, a segment that extends past the end is clipped there, provided that at
    least half of it remains. A clip shorter than all lengths forms one segment.
    """
    segments = {
        (first, min(first + length, steps))
        for length in lengths
        for first in range(0, max(steps - length // 2, 1) if ended else steps - length + 1, STRIDE)
    }
    return sorted(segments)


def overlap(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Return the overlap of two segments as a share of the shorter one."""
    common = min(one[1], other[1]) - max(one[0], other[0])
    return max(0, common) / min(one[1] - one[0], other[1] - other[0])


def _span(segment: tuple[int, int], log_probs: AnyFloats) -> Span:
    order = [int(label) for label in np.argsort(-log_probs, kind="stable") if label != BLANK]
    probabilities = np.exp(log_probs)
    others = tuple(
        (other, float(probabilities[other])) for other in order[1 : MAX_ALTERNATIVES + 1]
    )
    return Span(order[0], *segment, float(probabilities[order[0]]), others)
