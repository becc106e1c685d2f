# SPDX-License-Identifier: MIT
"""The live recogniser: endpoints on the clock, and nothing depends on how frames are cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from whispersign_model.decoding.confidence import ConfidenceScale
from whispersign_model.decoding.endpoint import Endpoint
from whispersign_model.decoding.search import DecodingOptions, decode
from whispersign_model.decoding.streaming import RecognizerOptions, StreamingRecognizer
from whispersign_model.features.end_padding import with_end_padding
from whispersign_model.network.config import DecoderConfig, ModelConfig
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.runtime.torch_backend import TorchBackend

from .readers import GLOSSES, NEVER_SURE, PATIENT, PERIOD, Reader, final, sharp, signal

UNSURE = RecognizerOptions(early_confidence=1.0)


def recognize(frames, cuts=(), options=None, stamps=None):
    recognizer = StreamingRecognizer(Reader(), GLOSSES, options)
    stamps = 10**18 + np.arange(len(frames)) * PERIOD if stamps is None else stamps
    results = []
    for part, times in zip(np.split(frames, cuts), np.split(stamps, cuts)):
        results += recognizer.push(part, times)
    return results + recognizer.finish()


@pytest.mark.parametrize(
    ("parts", "options", "endpoint"),
    [
        ([("HELLO", 0.4), ("absent", 0.3)], None, Endpoint.EARLY_ABSENT),
        ([("HELLO", 0.4), ("rest", 0.6)], None, Endpoint.EARLY_REST),
        ([("HELLO", 0.4), ("absent", 0.6)], PATIENT, Endpoint.HANDS_ABSENT),
        ([("HELLO", 0.4), ("rest", 2.0)], PATIENT, Endpoint.TRAILING_SILENCE),
        ([("HELLO", 0.4), ("move", 2.0)], RecognizerOptions(max_length=1.5), Endpoint.MAX_LENGTH),
        ([("HELLO", 0.4)], None, Endpoint.END_OF_STREAM),
    ],
)
def test_a_final_result_names_the_rule_that_ended_the_utterance(parts, options, endpoint):
    results = recognize(signal(*parts), options=options)
    assert [result.endpoint for result in results if result.final] == [endpoint]
    assert {result.endpoint for result in results if not result.final} == {None}


@pytest.mark.parametrize(
    ("silence", "endpoint"), [(2.0, Endpoint.STREAM_GAP), (3600.0, Endpoint.CLOCK_JUMP)]
)
def test_a_break_in_time_is_named(silence, endpoint):
    frames = signal(("HELLO", 0.4), ("move", 0.4))
    stamps = np.arange(len(frames)) * PERIOD
    results = recognize(frames, stamps=stamps + (np.arange(len(frames)) >= 24) * int(silence * 1e9))
    assert [result.endpoint for result in results if result.final] == [endpoint]


def test_hands_gone_end_an_utterance_at_the_clock():
    frames = signal(("HELLO", 0.4), ("absent", 0.6), ("YES", 0.4), ("absent", 0.3))
    assert final(recognize(frames, options=PATIENT)) == [["HELLO"], ["YES"]]
    short = signal(("HELLO", 0.4), ("absent", 0.4), ("YES", 0.4))
    assert final(recognize(short, options=PATIENT)) == [["HELLO", "YES"]]


@pytest.mark.parametrize(("pause", "timeout"), [("absent", 0.25), ("rest", 0.5)])
def test_a_sure_network_ends_an_utterance_soon(pause, timeout):
    frames = signal(("HELLO", 0.4), (pause, timeout - 0.05), ("YES", 0.4), (pause, 2.0))
    signed = 0.4 + (timeout - 0.05) + 0.4
    late = 0.5 if pause == "absent" else 1.5
    for options, wait in ((None, timeout), (UNSURE, late)):
        results = recognize(frames, options=options)
        assert final(results) == [["HELLO", "YES"]]
        assert (results[-1].stamp - 10**18) / 1e9 == pytest.approx(signed + wait, abs=0.04)


def test_a_gloss_that_only_the_assumed_end_shows_waits_for_the_longer_timeout():
    frames = signal(("YES", 0.4), ("move", 0.3), ("absent", 0.6))
    recognizer = StreamingRecognizer(SureAtTheEnd(), GLOSSES)
    results = recognizer.push(frames, np.arange(len(frames)) * PERIOD)
    assert [(result.final, len(result.glosses)) for result in results] == [(False, 1), (True, 1)]
    assert results[-1].stamp == pytest.approx(0.7e9 + 0.5e9, abs=2 * PERIOD)


def test_a_sign_that_is_held_after_an_endpoint_is_no_second_one():
    class Onsets(Reader):
        """Reads a posture when it begins, and at the beginning of a clip."""

        def rows(self, features):
            path = super().rows(features).argmax(axis=1).tolist()
            return sharp(
                [0 if label in path[max(i - 2, 0) : i] else label for i, label in enumerate(path)]
            )

    frames = signal(("HELLO", 3.0), ("rest", 0.5), ("YES", 0.4), ("absent", 0.6))
    frames[24:180, :, 3:6] = 0  # the posture stays, the movement ends
    recognizer = StreamingRecognizer(Onsets(), GLOSSES)
    assert final(recognizer.push(frames, np.arange(len(frames)) * PERIOD)) == [["HELLO"], ["YES"]]


def test_blank_ends_an_utterance():
    frames = signal(("HELLO", 0.4), ("rest", 2.0), ("YES", 0.4), ("rest", 0.5))
    assert final(recognize(frames)) == [["HELLO"], ["YES"]]


def test_a_hold_within_a_sign_neither_repeats_nor_splits_it():
    class Halves(Reader):
        """Reads a gloss only where the second half of the sign follows the first closely."""

        def rows(self, features):
            path = super().rows(features).argmax(axis=1).tolist()
            first = {at for at, label in enumerate(path) if label == 1}
            whole = [
                label == 2 and bool(first & set(range(at - 12, at)))
                for at, label in enumerate(path)
            ]
            return sharp([2 if each else 0 for each in whole])

    for hold in (0.6, 1.0, 2.0, 5.0, 60.0):
        frames = signal(("HELLO", 0.4), ("rest", hold), ("YES", 0.4), ("absent", 0.6))
        recognizer = StreamingRecognizer(Halves(), GLOSSES)
        results = recognizer.push(frames, np.arange(len(frames)) * PERIOD)
        assert final(results) == [["YES"]]
        assert results[-1].glosses[0].start == pytest.approx((0.4 + hold) * 1e9, abs=0.07e9)


def test_a_sign_and_the_withdrawal_after_a_hold_are_one():
    class Alone(Reader):
        """Reads YES, a withdrawal, only where nothing was signed before."""

        def rows(self, features):
            path = super().rows(features).argmax(axis=1)
            if (path == 1).any():
                path[path == 2] = 0
            return sharp(path.tolist())

    for hold in (0.6, 1.0, 2.0, 5.0, 60.0):
        frames = signal(("HELLO", 0.4), ("rest", hold), ("YES", 0.4), ("absent", 0.6))
        recognizer = StreamingRecognizer(Alone(), GLOSSES)
        assert final(recognizer.push(frames, np.arange(len(frames)) * PERIOD)) == [["HELLO"]]


def test_a_sign_made_again_after_a_hold_counts_twice():
    frames = signal(("HELLO", 0.4), ("rest", 3.0), ("HELLO", 0.4), ("absent", 0.6))
    assert final(recognize(frames)) == [["HELLO"], ["HELLO"]]


def test_a_gloss_from_before_a_rest_is_not_published_after_it():
    class Hindsight(Reader):
        """Reads HELLO only once YES follows."""

        def rows(self, features):
            path = super().rows(features).argmax(axis=1)
            if not (path == 2).any():
                path[:] = 0
            return sharp(path.tolist())

    frames = signal(("HELLO", 0.4), ("rest", 2.0), ("YES", 0.4), ("absent", 0.6))
    recognizer = StreamingRecognizer(Hindsight(), GLOSSES)
    assert final(recognizer.push(frames, np.arange(len(frames)) * PERIOD)) == [["YES"]]


def test_another_reading_of_a_rest_does_not_hide_the_sign_after_it():
    class Posture(Reader):
        """Reads a posture that is held for long as YES, unless a sign follows."""

        def rows(self, features):
            path = super().rows(features).argmax(axis=1)
            if not path.any() and len(features) > 60:
                path[-1] = 2
            return sharp(path.tolist())

    frames = signal(("rest", 3.0), ("move", 0.3), ("HELLO", 0.6), ("move", 0.4), ("absent", 1.0))
    recognizer = StreamingRecognizer(Posture(), GLOSSES)
    results = recognizer.push(frames, np.arange(len(frames)) * PERIOD)
    assert final(results) == [["YES"], ["HELLO"]]


@pytest.mark.parametrize("movement", [2.5, 3.0, 3.2, 3.4, 3.6, 5.0])
def test_a_sign_of_which_the_end_is_kept_is_not_read_again(movement):
    frames = signal(
        ("HELLO", 1.0), ("move", movement), ("rest", 2.0), ("move", 1.0), ("absent", 1.0)
    )
    assert final(recognize(frames)) == [["HELLO"]]


@pytest.mark.parametrize("count", [5, 12, 13, 16, 30])
def test_short_rests_do_not_delay_the_maximum_length(count):
    class Uncertain(Reader):
        def rows(self, features):
            log_probs = super().rows(features)
            log_probs[log_probs.argmax(axis=1) > 0] = np.log([0.349, 0.65, 0.001])
            return log_probs

    sign = ("move", 0.3), ("HELLO", 0.05), ("move", 0.3)
    frames = signal(*sign, *[("rest", 1.4), ("move", 0.3)] * count, ("absent", 1.0))
    recognizer = StreamingRecognizer(Uncertain(), GLOSSES)
    results = recognizer.push(frames, np.arange(len(frames)) * PERIOD)
    assert final(results) == [["HELLO"]]
    assert results[-1].stamp <= 20.1e9


def test_frames_are_read_a_bounded_number_of_times():
    class Counting(Reader):
        def rows(self, features):
            return sharp([1] + [0] * (-(-len(features) // 4) - 1))

    fidget = signal(*[("move", 0.3), ("rest", 1.6)] * 60)
    restless = signal(("move", 110.0))
    for frames in (fidget, restless):
        reader = Counting()
        recognizer = StreamingRecognizer(reader, GLOSSES)
        recognizer.push(frames, np.arange(len(frames)) * PERIOD)
        assert reader.encoded <= 4 * len(frames)


def test_moving_hands_keep_an_utterance_open():
    frames = signal(("HELLO", 0.4), ("move", 2.0), ("YES", 0.4), ("rest", 0.5))
    assert final(recognize(frames)) == [["HELLO", "YES"]]


@pytest.mark.parametrize("length", [1.2, 1.4, 1.5, 1.6, 1.7, 1.9])
def test_maximum_length_cuts_between_glosses(length):
    frames = signal(*[("HELLO", 0.4), ("rest", 0.4)] * 4)
    assert final(recognize(frames, options=PATIENT)) == [["HELLO"] * 4]
    options = RecognizerOptions(**NEVER_SURE, max_length=length)
    cut = final(recognize(frames, options=options))
    assert len(cut) > 1
    assert [gloss for utterance in cut for gloss in utterance] == ["HELLO"] * 4


class SureAtTheEnd(Reader):
    """Gives its gloss at the first step without hands, as a network does that waits for the end."""

    def rows(self, features):
        path = [0] * -(-len(features) // 4)
        gone = np.flatnonzero(~features[..., 6].any(axis=1))
        if len(gone) and (gloss := int(features[:, 21, 0].max())):
            path[-(-int(gone[0]) // 4)] = gloss
        return sharp(path)


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


@pytest.mark.parametrize("shape", [(3, 42, 7), (2, 42, 6), (2, 21, 7)])
def test_frames_without_a_stamp_each_are_refused(shape):
    with pytest.raises(ValueError, match=r"not \(2, 42, 7\)"):
        StreamingRecognizer(Reader(), GLOSSES).push(np.zeros(shape, np.float32), [0, 16_666_667])


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
    seen = [
        (result.final, [(gloss.gloss, gloss.stable) for gloss in result.glosses])
        for result in results
    ]
    assert seen[0] == (False, [("HELLO", False)])
    assert seen[-2] == (False, [("HELLO", True), ("YES", False)])
    assert seen[-1] == (True, [("HELLO", True), ("YES", True)])
    assert [result.final for result in results[:-1]] == [False] * (len(results) - 1)
    assert all(one != other for one, other in pairwise(seen))
    assert {result.utterance_id for result in results} == {0}


def test_each_utterance_has_its_own_number_and_partials():
    results = recognize(signal(*[("HELLO", 0.5), ("absent", 0.6)] * 2))
    seen = [(result.utterance_id, result.final) for result in results]
    assert list(dict.fromkeys(seen)) == [(0, False), (0, True), (1, False), (1, True)]
    assert seen.count((0, True)) == seen.count((1, True)) == 1


def test_unsure_glosses_are_left_out():
    class Torn(Reader):
        def rows(self, features):
            log_probs = super().rows(features)
            log_probs[:2] = np.log([0.2, 0.42, 0.38])
            return log_probs

    def heard(min_confidence):
        recognizer = StreamingRecognizer(
            Torn(), GLOSSES, RecognizerOptions(min_confidence=min_confidence)
        )
        frames = signal(("HELLO", 0.1), ("absent", 1.0))
        return final(recognizer.push(frames, np.arange(len(frames)) * PERIOD))

    assert heard(0.0) == [["HELLO"]]
    assert heard(0.95) == []


def test_an_unsure_gloss_is_looked_at_again_when_more_of_it_is_seen():
    class Hesitant(Reader):
        def encode(self, features):
            clip = super().encode(features)
            if len(features) < 80:
                clip.log_probs[:] = np.log([0.998, 0.001, 0.001])
                clip.log_probs[3] = np.log([0.2, 0.42, 0.38])
            return clip

    frames = signal(("HELLO", 0.4), ("rest", 0.7), ("move", 0.6), ("absent", 0.6))
    recognizer = StreamingRecognizer(Hesitant(), GLOSSES, RecognizerOptions(min_confidence=0.9))
    early = recognizer.push(frames[:66], np.arange(66) * PERIOD)
    assert recognizer.backend.encoded > 0
    assert final(early) == []
    assert early[-1].glosses[0].gloss == "HELLO"
    rest = recognizer.push(frames[66:], np.arange(66, len(frames)) * PERIOD)
    assert final(rest) == [["HELLO"]]


def test_confidences_are_scaled_and_then_compared_with_the_least():
    frames = signal(("HELLO", 0.4), ("absent", 0.2), ("YES", 0.4), ("absent", 0.6))
    scale = ConfidenceScale(glosses={"YES": -10.0})
    plain, scaled = (
        StreamingRecognizer(Reader(), GLOSSES, options, scale=each).push(
            frames, np.arange(len(frames)) * PERIOD
        )[-1]
        for options, each in ((PATIENT, None), (PATIENT, scale))
    )
    assert [gloss.confidence > 0.5 for gloss in plain.glosses] == [True, True]
    assert [gloss.confidence > 0.5 for gloss in scaled.glosses] == [True, False]
    cut = RecognizerOptions(**NEVER_SURE, min_confidence=0.5)
    recognizer = StreamingRecognizer(Reader(), GLOSSES, cut, scale=scale)
    assert final(recognizer.push(frames, np.arange(len(frames)) * PERIOD)) == [["HELLO"]]


def test_late_frames_are_dropped_and_a_jump_in_time_closes_the_utterance():
    frames = signal(("HELLO", 0.4), ("YES", 0.4))
    stamps = np.arange(len(frames)) * PERIOD
    late = np.insert(stamps, 30, stamps[20])
    doubled = np.insert(frames, 30, frames[20], axis=0)
    assert recognize(doubled, stamps=late) == recognize(frames, stamps=stamps)
    jumped = stamps + (np.arange(len(frames)) >= 24) * 3600 * 10**9
    assert final(recognize(frames, stamps=jumped)) == [["HELLO"], ["YES"]]
    back = stamps - (np.arange(len(frames)) >= 24) * 3600 * 10**9
    assert final(recognize(frames, stamps=back)) == [["HELLO"], ["YES"]]


@pytest.mark.parametrize("silence", [2.0, 3600.0, -3600.0])
def test_hands_held_still_after_a_silence_have_come(silence):
    """They are no more the hands that rested before it; offline, another stream begins there."""
    frames = signal(("HELLO", 0.4), ("rest", 2.5), ("YES", 0.8), ("absent", 0.6))
    frames[174:, :, 3:6] = 0
    stamps = np.arange(len(frames)) * PERIOD
    assert final(recognize(frames, stamps=stamps)) == [["HELLO"]]
    later = stamps + (np.arange(len(frames)) >= 174) * round(silence * 1e9)
    assert final(recognize(frames, stamps=later)) == [["HELLO"], ["YES"]]


def test_lost_frames_are_filled_in_by_the_clock():
    frames = signal(("HELLO", 0.6), ("rest", 0.2), ("YES", 0.6), ("absent", 0.6))
    whole = recognize(frames)[-1]
    kept = np.ones(len(frames), bool)
    kept[[5, 6, 7, 20, 60, 61]] = False
    broken = frames.copy()
    broken[10] = np.nan
    stamps = 10**18 + np.arange(len(frames)) * PERIOD
    assert recognize(broken[kept], stamps=stamps[kept])[-1] == whole
    recognizer = StreamingRecognizer(Reader(), GLOSSES)
    recognizer.push(broken[kept], stamps[kept])
    aligner = recognizer.aligner
    assert aligner.filled == 7  # with the one that is not finite
    assert (aligner.not_finite, aligner.out_of_order) == (1, 0)


def test_a_silence_as_long_as_the_absence_of_hands_ends_the_utterance():
    frames = signal(("HELLO", 0.4), ("YES", 0.4))
    stamps = np.arange(len(frames)) * PERIOD
    for silence, expected in ((0.3, [["HELLO", "YES"]]), (0.6, [["HELLO"], ["YES"]])):
        later = stamps + (np.arange(len(frames)) >= 24) * round(silence * 1e9)
        assert final(recognize(frames, options=PATIENT, stamps=later)) == expected


def test_stable_glosses_are_never_revised_in_later_partials():
    generator = np.random.default_rng(0)

    class Unsure(Reader):
        """The later in the clip, the less sure."""

        def rows(self, features):
            rows = np.exp(super().rows(features))
            noise = np.random.default_rng(1).dirichlet(np.ones(3) / 3, len(rows))
            return np.log(0.55 * rows + 0.45 * noise).astype(np.float32)

    stable = 0
    for _ in range(5):
        parts = [(str(generator.choice([*GLOSSES, "move"])), 0.2) for _ in range(12)]
        results = StreamingRecognizer(Unsure(), GLOSSES).push(
            signal(*parts), np.arange(144) * PERIOD
        )
        seen: list[str] = []
        for result in results:
            now = [gloss.gloss for gloss in result.glosses if gloss.stable]
            assert [gloss.gloss for gloss in result.glosses][: len(now)] == now
            assert now[: len(seen)] == seen
            seen = now
        stable += len(seen)
    assert stable > 10


def test_a_gloss_is_stable_when_all_have_agreed_for_long_enough():
    frames = signal(("HELLO", 0.4), ("move", 1.0))
    stamps = 10**18 + np.arange(len(frames)) * PERIOD
    since = []
    for after in (0.0, 0.4):
        options = RecognizerOptions(stable_after=after)
        results = StreamingRecognizer(Reader(), GLOSSES, options).push(frames, stamps)
        since.append(next(r.stamp for r in results if r.glosses and r.glosses[0].stable))
    assert since[0] < 10**18 + 0.4e9
    assert since[1] - since[0] == pytest.approx(0.4e9, abs=0.14e9)


def test_an_idle_stream_keeps_and_computes_no_more_as_time_goes_by():
    reader = Reader()
    recognizer = StreamingRecognizer(reader, GLOSSES)
    frames = signal(("rest", 10.0))
    frames[:, 21:, 3:6] = np.random.default_rng(0).normal(0, 0.01, (len(frames), 21, 3))
    for part in range(2):
        stamps = (np.arange(len(frames)) + part * len(frames)) * PERIOD
        assert recognizer.push(frames, stamps) == []
        assert recognizer._utterance is None
        held = recognizer._held
        assert held is not None
        assert len(held.frames) <= 2 * 60
    assert reader.encoded <= 2 * 60  # only when the hand has come to rest


def test_a_stream_of_movement_without_signs_keeps_no_more_as_time_goes_by():
    recognizer = StreamingRecognizer(Reader(), GLOSSES)
    frames = signal(("move", 10.0))
    for part in range(3):
        stamps = (np.arange(len(frames)) + part * len(frames)) * PERIOD
        assert recognizer.push(frames, stamps) == []
        utterance = recognizer._utterance
        assert utterance is not None
        assert len(utterance.frames) <= 5.1 * 60
        assert len(utterance._rows) <= 5.1 * 15


def test_glosses_emitted_early_are_not_emitted_again_when_the_utterance_goes_on():
    class Whole(Reader):
        """Reads nothing after a pause, when it sees what was before."""

        def rows(self, features):
            path = super().rows(features).argmax(axis=1)
            path[np.flatnonzero(path == 2)] = 0 if (path == 1).any() else 2
            return sharp(path.tolist())

    frames = signal(("HELLO", 0.4), ("absent", 0.4), ("YES", 0.4), ("absent", 0.6))
    results = recognize(frames)
    assert final(results) == [["HELLO"], ["YES"]]
    assert [r.utterance_id for r in results if r.final] == [0, 1]
    assert {gloss.gloss for r in results if r.utterance_id == 1 for gloss in r.glosses} == {"YES"}
    assert all(result.glosses for result in results)
    recognizer = StreamingRecognizer(Whole(), GLOSSES)
    assert final(recognizer.push(frames, np.arange(len(frames)) * PERIOD)) == [["HELLO"]]
    apart = signal(("HELLO", 0.4), ("absent", 0.6), ("YES", 0.4), ("absent", 0.6))
    recognizer.reset()
    assert final(recognizer.push(apart, np.arange(len(apart)) * PERIOD)) == [["HELLO"], ["YES"]]


@pytest.mark.parametrize(
    ("utterance_frames", "alpha", "segments"),
    [(0, 0.8, ()), (0, 0.0, ()), (16, 0.0, ()), (16, 0.8, (8, 16))],
)
def test_a_final_result_is_what_the_network_gives_for_the_whole_clip(
    utterance_frames, alpha, segments
):
    torch.manual_seed(0)
    decoder = DecoderConfig(
        vocab_size=len(GLOSSES) + 1,
        utterance_frames=utterance_frames,
        alpha=alpha,
        candidate_segments=segments,
    )
    config = ModelConfig(decoder=decoder)
    backend = TorchBackend(WhisperSignModel(config), "cpu")
    generator = np.random.default_rng(0)
    frames = generator.normal(size=(150, 42, 7)).astype(np.float32)
    frames[..., 6] = 1
    frames[60:70] = frames[120:] = 0  # a moment without hands, and the end
    clip = backend.encode(with_end_padding(frames[:120]))
    whole = decode(clip.log_probs, "rescore", DecodingOptions(alpha=alpha), clip.second_pass)
    results = StreamingRecognizer(backend, GLOSSES).push(frames, np.arange(150) * PERIOD)
    emitted = [result.glosses for result in results if result.final]
    assert len(emitted) == 1 or segments
    assert tuple(gloss.gloss_id for glosses in emitted for gloss in glosses) == whole.ids != ()
