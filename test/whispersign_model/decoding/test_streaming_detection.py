# SPDX-License-Identifier: MIT
"""The live recogniser with a detecting network: signs need no pause; each is emitted once."""

from __future__ import annotations

import numpy as np
import pytest

from whispersign_model.decoding.detection import SegmentScorer
from whispersign_model.decoding.streaming import RecognizerOptions, StreamingRecognizer

from .readers import GLOSSES, PATCH, PATIENT, PERIOD, Reader, final, signal


class Detector(Reader):
    """Detects two signs of 1 s; the last 12 frames of the first are the first 12 of the second."""

    SIGNS = ((1, [24, 84]), (2, [72, 132]))
    candidate_segments = (15,)

    def __init__(self):
        super().__init__()
        self.scored = []

    def segment_scorer(self, features):
        return SegmentScorer(self.candidate_segments, 0.5, PATCH, self.score)

    def score(self, segments):
        self.scored += segments.tolist()
        log_probs = np.full((len(segments), 3), np.log(1e-3))
        log_probs[:, 0] = np.log(0.998)
        for row, segment in zip(log_probs, segments.tolist()):
            for gloss_id, sign in self.SIGNS:
                if segment == sign:
                    row[[0, gloss_id]] = row[[gloss_id, 0]]
        return log_probs


def test_a_detected_sign_spans_its_segment():
    frames = signal(("move", 0.5), ("HELLO", 0.6), ("YES", 1.0), ("move", 0.5), ("absent", 0.6))
    recognizer = StreamingRecognizer(Detector(), GLOSSES, PATIENT)
    results = recognizer.push(frames, np.arange(len(frames)) * PERIOD)
    assert final(results) == [["HELLO", "YES"]]
    one, other = results[-1].glosses
    assert (one.start, one.end) == (24 * PERIOD, 71 * PERIOD)
    assert (other.start, other.end) == (72 * PERIOD, 131 * PERIOD)
    assert one.confidence == pytest.approx(0.998)


def test_a_detected_sign_is_final_when_no_later_segment_can_overlap_it():
    """The first ends with frame 84. The last segment that begins within it ends with frame 144.

    The second is final with frame 192. Detection runs every half a second.
    """
    frames = signal(("move", 10.0))
    frames[:, 21, 0] = 0  # the first pass reads nothing
    recognizer = StreamingRecognizer(Detector(), GLOSSES, RecognizerOptions(lead_in=0.6))
    results = recognizer.push(frames, np.arange(len(frames)) * PERIOD)
    assert final(results) == [["HELLO"], ["YES"]]
    assert [result.stamp // PERIOD for result in results] == [159, 191]
    assert recognizer.finish() == []


def test_a_sign_that_a_pause_made_final_is_not_emitted_again_when_it_is_finalized():
    parts = ("move", 0.4), ("HELLO", 1.0), ("rest", 0.7), ("move", 4.0), ("absent", 0.6)
    frames = signal(*parts)
    reader = Detector()
    reader.SIGNS = ((1, [48, 108]), (2, [200, 260]))
    recognizer = StreamingRecognizer(reader, GLOSSES)
    results = recognizer.push(frames, np.arange(len(frames)) * PERIOD)
    assert final(results) == [["HELLO"], ["YES"]]
    paused, finalized = (result.stamp // PERIOD for result in results if result.final)
    assert paused < 126 < 260 + 59 <= finalized


def test_no_segment_of_an_utterance_is_scored_twice():
    """The second pass decodes 90 frames at rest, and later 78 of them with what follows."""
    frames = signal(("HELLO", 1.0), ("rest", 0.7), ("move", 1.0), ("absent", 0.6))
    reader = Detector()
    recognizer = StreamingRecognizer(reader, GLOSSES)
    recognizer.push(frames, np.arange(len(frames)) * PERIOD)
    early = [segment for segment in reader.scored if segment[1] <= 78]
    assert len(early) == len(set(map(tuple, early))) > 0
    assert max(last for _, last in reader.scored) > 140
    once = reader.scored.copy()
    recognizer.push(frames, 10**12 + np.arange(len(frames)) * PERIOD)
    assert reader.scored == 2 * once, "another utterance is scored again"


def test_memory_is_bounded_while_hands_move_without_a_sign():
    class Nothing(Detector):
        SIGNS = ()

    recognizer = StreamingRecognizer(Nothing(), GLOSSES)
    frames = signal(("move", 10.0))
    frames[:, 21, 0] = 0
    for part in range(2):
        stamps = (np.arange(len(frames)) + part * len(frames)) * PERIOD
        assert recognizer.push(frames, stamps) == []
        assert len(recognizer._utterance.frames) <= 5.1 * 60
        assert 0 < len(recognizer._second_pass._scores) <= 5.1 * 15 / 2


def test_hands_that_rest_after_a_sign_that_only_detection_finds_end_the_utterance():
    frames = signal(("move", 1.0), ("rest", 3.0))
    frames[:, 21, 0] = 0
    reader = Detector()
    reader.SIGNS = ((1, [0, 60]),)
    recognizer = StreamingRecognizer(reader, GLOSSES)
    results = recognizer.push(frames, np.arange(len(frames)) * PERIOD)
    assert final(results) == [["HELLO"]]
    assert recognizer._utterance is None
