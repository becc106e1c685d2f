# SPDX-License-Identifier: MIT
"""The second pass: rescoring of a whole utterance, detection in a growing one."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from whispersign_model.decoding.detection import SegmentScorer
from whispersign_model.decoding.search import DecodingOptions
from whispersign_model.decoding.second_pass import (
    DETECTION_INTERVAL,
    DetectionPass,
    RescoringPass,
    open_second_pass,
)

from .readers import PATCH, PERIOD, Reader, signal

LENGTHS = (5,)  # steps


def detecting(score, lengths=LENGTHS):
    """Return a detection pass of a network whose segments a function classifies."""
    backend = SimpleNamespace(
        candidate_segments=lengths,
        frames_per_step=PATCH,
        segment_scorer=lambda frames: SegmentScorer(lengths, 0.5, PATCH, score),
    )
    return open_second_pass(backend, DecodingOptions(), PERIOD)


def clip(frames):
    return np.zeros((frames, 42, 7), np.float32)


def test_a_rescoring_network_decodes_the_end_of_the_utterance_only():
    rescoring = open_second_pass(Reader(), DecodingOptions(alpha=0.8), PERIOD)
    assert isinstance(rescoring, RescoringPass)
    assert not rescoring.is_due(10**18)
    assert rescoring.decode(signal(("YES", 0.5)), range(30), ended=True).ids == (2,)
    assert (rescoring.detected.ids, rescoring.finalized, rescoring.lead_in) == ((), 0, 0.0)


def test_detection_needs_its_longest_segment_and_is_due_twice_a_second():
    detection = detecting(lambda segments: np.log([[0.9, 0.1]] * len(segments)), (5, 15))
    assert isinstance(detection, DetectionPass)
    assert detection.lead_in == pytest.approx(1.0 + DETECTION_INTERVAL, abs=1e-6)
    last = 59 * PERIOD
    detection.decode(clip(60), (np.arange(60) * PERIOD).tolist(), ended=False)
    assert not detection.is_due(last + 499_000_000)
    assert detection.is_due(last + 500_000_000)


def test_no_segment_of_a_growing_clip_is_scored_twice():
    """The clip has 48 frames; then 80, of which the first 8 have been forgotten; then it ends."""
    scored = []
    first_stamp = 100

    def score(segments):
        scored.extend(map(tuple, (segments + first_stamp).tolist()))
        log_probs = np.full((len(segments), 4), -9.0)
        log_probs[:, 1] = -1 / (segments + first_stamp).sum(axis=1)  # tells the segments apart
        return log_probs

    detection = detecting(score)
    detection.decode(clip(48), range(100, 148), ended=False)
    assert scored == [(first, first + 20) for first in range(100, 129, 8)]
    first_stamp = 108
    detection.forget_before(first_stamp)
    detection.decode(clip(72), range(108, 180), ended=False)
    assert len(set(scored)) == len(scored)
    assert max(scored) == (156, 176)
    before = scored.copy()
    found = detection.decode(clip(72), range(108, 180), ended=False)
    assert scored == before
    assert [span.confidence for span in found.spans] == pytest.approx(
        [np.exp(-1 / (2 * 108 + PATCH * (span.start + span.end))) for span in found.spans]
    )
    for _ in range(2):  # with 8 frames of end padding; the last step is not whole
        detection.decode(clip(70), range(108, 178), ended=True)
        assert sorted(scored[len(before) :]) == [(164, 184), (172, 188)], "they reach beyond"
        del scored[len(before) :]
    first_stamp = 100
    detection.decode(clip(80), range(100, 180), ended=False)
    assert scored[len(before) :] == [(100, 120)], "it was forgotten"


@pytest.mark.parametrize(("frames", "finalized"), [(75, 0), (76, 1), (99, 1), (100, 2)])
def test_a_sign_is_final_when_no_later_segment_can_overlap_it(frames, finalized):
    """The signs end with steps 9 and 15; segments take 10 steps."""

    def score(segments):
        probabilities = np.full((len(segments), 3), 0.0)
        for row, segment in zip(probabilities, (segments // PATCH).tolist()):
            row[{(4, 9): 1, (10, 15): 2}.get(tuple(segment), 0)] = 1
        with np.errstate(divide="ignore"):
            return np.log(probabilities)

    detection = detecting(score, (5, 10))
    detection.decode(clip(frames), range(frames), ended=False)
    assert detection.detected.ids == (1, 2)
    assert detection.finalized == finalized
