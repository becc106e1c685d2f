"""The live recogniser with a network that detects: signs need no pause, and each is given once."""

from __future__ import annotations

import numpy as np
import pytest

from whispersign_model.decoding.detection import SegmentScorer
from whispersign_model.decoding.streaming import RecognizerOptions, StreamingRecognizer

from .readers import GLOSSES, PATCH, PATIENT, PERIOD, Reader, final, signal


class StreamingDetector(Reader):
    """It spots two signs of 1 s; the second one's first 12 frames are the first one's last."""

    SIGNS = ((1, [24, 84]), (2, [72, 132]))
    candidate_segments = (15,)

    def __init__(self):
        super().__init__()
        self.asked = []

    def segment_scorer(self, features):
        return SegmentScorer(self.candidate_segments, 0.5, PATCH, self.read)

    def read(self, segments):
        self.asked += segments.tolist()
        said = np.full((len(segments), 3), np.log(1e-3))
        said[:, 0] = np.log(0.998)
        for row, place in zip(said, segments.tolist()):
            for gloss_id, sign in self.SIGNS:
                if place == sign:
                    row[[0, gloss_id]] = row[[gloss_id, 0]]
        return said


def test_a_spotted_sign_lies_where_its_stretch_does():
    frames = signal(("move", 0.5), ("HELLO", 0.6), ("YES", 1.0), ("move", 0.5), ("absent", 0.6))
    recognizer = StreamingRecognizer(StreamingDetector(), GLOSSES, PATIENT)
    results = recognizer.push(frames, np.arange(len(frames)) * PERIOD)
    assert final(results) == [["HELLO", "YES"]]
    one, other = results[-1].glosses
    assert (one.start, one.end) == (24 * PERIOD, 71 * PERIOD)
    assert (other.start, other.end) == (72 * PERIOD, 131 * PERIOD)
    assert one.confidence == pytest.approx(0.998)


def test_a_spotted_sign_is_final_when_no_stretch_to_come_reaches_back_to_it():
    """It ends with frame 84, the last segment of 15 steps that begins within it with frame 144.

    The next one is finalized with frame 192. They are looked for every half a second.
    """
    frames = signal(("move", 10.0))
    frames[:, 21, 0] = 0  # the first pass reads nothing
    recognizer = StreamingRecognizer(StreamingDetector(), GLOSSES, RecognizerOptions(lead_in=0.6))
    results = recognizer.push(frames, np.arange(len(frames)) * PERIOD)
    assert final(results) == [["HELLO"], ["YES"]]
    assert [result.stamp // PERIOD for result in results] == [159, 191]
    assert recognizer.finish() == []


def test_a_sign_that_a_pause_has_made_final_is_not_given_again_when_it_is_settled():
    parts = ("move", 0.4), ("HELLO", 1.0), ("rest", 0.7), ("move", 4.0), ("absent", 0.6)
    frames = signal(*parts)
    reader = StreamingDetector()
    reader.SIGNS = ((1, [48, 108]), (2, [200, 260]))
    recognizer = StreamingRecognizer(reader, GLOSSES)
    results = recognizer.push(frames, np.arange(len(frames)) * PERIOD)
    assert final(results) == [["HELLO"], ["YES"]]
    paused, finalized = (result.stamp // PERIOD for result in results if result.final)
    assert paused < 126 < 260 + 59 <= finalized


def test_no_stretch_of_an_utterance_is_read_twice():
    """The hands rest after 60 frames; 90 are known when the second pass is asked, later all."""
    frames = signal(("HELLO", 1.0), ("rest", 0.7), ("move", 1.0), ("absent", 0.6))
    reader = StreamingDetector()
    recognizer = StreamingRecognizer(reader, GLOSSES)
    recognizer.push(frames, np.arange(len(frames)) * PERIOD)
    early = [place for place in reader.asked if place[1] <= 88]
    assert len(early) == len(set(map(tuple, early))) > 0
    assert max(last for _, last in reader.asked) > 150
    once = reader.asked.copy()
    recognizer.push(frames, 10**12 + np.arange(len(frames)) * PERIOD)
    assert reader.asked == 2 * once, "another utterance is read anew"


def test_of_hands_that_move_without_a_sign_no_more_is_kept_as_time_goes_by():
    class Nothing(StreamingDetector):
        SIGNS = ()

    recognizer = StreamingRecognizer(Nothing(), GLOSSES)
    frames = signal(("move", 10.0))
    frames[:, 21, 0] = 0
    for part in range(2):
        stamps = (np.arange(len(frames)) + part * len(frames)) * PERIOD
        assert recognizer.push(frames, stamps) == []
        assert len(recognizer._utterance.frames) <= 5.1 * 60
        assert 0 < len(recognizer._spotting._said) <= 5.1 * 15 / 2


def test_hands_that_rest_after_a_sign_that_only_spotting_finds_end_the_utterance():
    frames = signal(("move", 1.0), ("rest", 3.0))
    frames[:, 21, 0] = 0
    reader = StreamingDetector()
    reader.SIGNS = ((1, [0, 60]),)
    recognizer = StreamingRecognizer(reader, GLOSSES)
    results = recognizer.push(frames, np.arange(len(frames)) * PERIOD)
    assert final(results) == [["HELLO"]]
    assert recognizer._utterance is None
