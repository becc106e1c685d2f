"""The live recogniser: endpoints on the clock, and nothing depends on how frames are cut."""

import numpy as np
import pytest

from whispersign_model.decoding.streaming import RecognizerOptions, StreamingRecognizer

GLOSSES = ("HELLO", "YES")
PERIOD = 16_666_667  # nanoseconds at 60 Hz


class Reader:
    """A backend that reads the gloss id from the wrist's x of each frame."""

    device, notice, frames_per_step = "cpu", "", 4

    def encode(self, features):
        steps = -(-len(features) // 4)
        log_probs = np.full((steps, 3), np.log(0.01), np.float32)
        for step in range(steps):
            log_probs[step, int(features[step * 4 : step * 4 + 4, 21, 0].max())] = np.log(0.98)
        return Clip(log_probs)


class Clip:
    def __init__(self, log_probs):
        self.log_probs = log_probs

    def rescore(self, hypotheses):
        return np.zeros(len(hypotheses))


def signal(*parts: tuple[str, float]) -> np.ndarray:
    """Frames of parts (kind, seconds): "absent", "rest", "move" (no gloss), or a gloss."""
    frames = []
    for kind, seconds in parts:
        frame = np.zeros((round(seconds * 60), 42, 7), np.float32)
        if kind != "absent":
            frame[:, 21:, 6] = 1
        if kind in GLOSSES:
            frame[:, 21, 0] = GLOSSES.index(kind) + 1
        if kind == "move":
            frame[:, 21:, 3:6] = 1
        frames.append(frame)
    return np.concatenate(frames)


def recognize(frames, cuts=(), options=None, stamps=None):
    recognizer = StreamingRecognizer(Reader(), GLOSSES, options)
    stamps = 10**18 + np.arange(len(frames)) * PERIOD if stamps is None else stamps
    results = []
    for part, times in zip(np.split(frames, cuts), np.split(stamps, cuts)):
        results += recognizer.push(part, times)
    return results + recognizer.finish()


def final(results):
    return [[gloss.gloss for gloss in result.glosses] for result in results if result.final]


def test_hands_gone_end_an_utterance_at_the_clock():
    frames = signal(("HELLO", 0.4), ("absent", 0.6), ("YES", 0.4), ("absent", 0.3))
    assert final(recognize(frames)) == [["HELLO"], ["YES"]]
    short = signal(("HELLO", 0.4), ("absent", 0.4), ("YES", 0.4))
    assert final(recognize(short)) == [["HELLO", "YES"]]


def test_blank_ends_an_utterance():
    frames = signal(("HELLO", 0.4), ("rest", 2.0), ("YES", 0.4), ("rest", 0.5))
    assert final(recognize(frames)) == [["HELLO"], ["YES"]]


def test_moving_hands_keep_an_utterance_open():
    frames = signal(("HELLO", 0.4), ("move", 2.0), ("YES", 0.4), ("rest", 0.5))
    assert final(recognize(frames)) == [["HELLO", "YES"]]


@pytest.mark.parametrize("length", [1.2, 1.4, 1.5, 1.6, 1.7, 1.9])
def test_maximum_length_cuts_between_glosses(length):
    frames = signal(*[("HELLO", 0.4), ("rest", 0.4)] * 4)
    assert final(recognize(frames, options=RecognizerOptions(max_length=20))) == [["HELLO"] * 4]
    cut = final(recognize(frames, options=RecognizerOptions(max_length=length)))
    assert len(cut) > 1
    assert [gloss for utterance in cut for gloss in utterance] == ["HELLO"] * 4


class SureAtTheEnd(Reader):
    """Gives its gloss at the first step without hands, as a network does that waits for the end."""

    def encode(self, features):
        log_probs = np.full((-(-len(features) // 4), 3), np.log(0.01), np.float32)
        log_probs[:, 0] = np.log(0.98)
        gone = np.flatnonzero(~features[..., 6].any(axis=1))
        if len(gone) and (gloss := int(features[:, 21, 0].max())):
            step = -(-int(gone[0]) // 4)
            log_probs[step] = np.log(0.01)
            log_probs[step, gloss] = np.log(0.98)
        return Clip(log_probs)


@pytest.mark.parametrize("after", [("absent", 0.6), ("rest", 2.0), ("rest", 0.1)])
def test_the_network_sees_the_end_of_an_utterance(after):
    frames = signal(("YES", 0.4), ("move", 0.3), after)
    recognizer = StreamingRecognizer(SureAtTheEnd(), GLOSSES)
    results = recognizer.push(frames, np.arange(len(frames)) * PERIOD)
    if after[1] < 0.5:  # the stream ends before the recogniser's own rules end the utterance
        assert final(results) == []
        results += recognizer.finish()
    assert final(results) == [["YES"]]
    last_tracked = 41 if after[0] == "absent" else len(frames) - 1
    assert results[-1].glosses[0].end <= last_tracked * PERIOD


def test_moving_hands_have_not_ended_the_utterance():
    frames = signal(("move", 3.0))
    frames[:24, 21, 0] = GLOSSES.index("YES") + 1
    recognizer = StreamingRecognizer(SureAtTheEnd(), GLOSSES)
    assert recognizer.push(frames, np.arange(len(frames)) * PERIOD) == []


def test_idle_stream_emits_nothing():
    assert recognize(signal(("rest", 8.0), ("absent", 3.0))) == []


def test_sign_after_long_rest_is_recognised_with_its_own_times():
    frames = signal(("rest", 9.0), ("YES", 0.4), ("rest", 0.2))
    result = recognize(frames)[-1]
    start = (result.glosses[0].start - 10**18) / 1e9
    end = (result.glosses[0].end - 10**18) / 1e9
    assert final([result]) == [["YES"]]
    assert start == pytest.approx(9.0, abs=0.07)
    assert end == pytest.approx(9.4, abs=0.07)


@pytest.mark.parametrize("seed", range(3))
def test_results_do_not_depend_on_how_frames_are_cut(seed):
    frames = signal(("HELLO", 0.4), ("rest", 0.2), ("YES", 0.3), ("absent", 0.7), ("YES", 0.5))
    cuts = np.sort(np.random.default_rng(seed).integers(0, len(frames), 20))
    assert recognize(frames, cuts) == recognize(frames) != []


def test_partials_come_before_the_final_and_are_marked():
    results = recognize(signal(("HELLO", 0.5), ("YES", 0.5), ("absent", 0.6)))
    assert [result.final for result in results] == [False, False, True]
    assert [gloss.gloss for gloss in results[0].glosses] == ["HELLO"]
    assert {result.utterance_id for result in results} == {0}


def test_each_utterance_has_its_own_number_and_partials():
    results = recognize(signal(*[("HELLO", 0.5), ("absent", 0.6)] * 2))
    told = [(result.utterance_id, result.final) for result in results]
    assert told == [(0, False), (0, True), (1, False), (1, True)]


def test_unsure_glosses_are_left_out():
    class Torn(Reader):
        def encode(self, features):
            clip = super().encode(features)
            clip.log_probs[:2] = np.log([0.2, 0.42, 0.38])
            return clip

    def heard(min_confidence):
        recognizer = StreamingRecognizer(
            Torn(), GLOSSES, RecognizerOptions(min_confidence=min_confidence)
        )
        frames = signal(("HELLO", 0.1), ("absent", 1.0))
        return final(recognizer.push(frames, np.arange(len(frames)) * PERIOD))

    assert heard(0.0) == [["HELLO"]]
    assert heard(0.95) == []
