# SPDX-License-Identifier: MIT
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from whispersign_model.errors import ConfigError
from whispersign_model.synthesis.corpus import (
    CorpusOptions,
    corpus_signer,
    random_sentence,
    synthesize_corpus,
    truth_of,
)
from whispersign_model.synthesis.lexicon import default_lexicon

OPTIONS = CorpusOptions(
    seed=3,
    signers=2,
    glosses=("STOP", "GO", "OPEN"),
    takes=2,
    sentences=2,
    length=(2, 3),
    prompts=(("YES", "NO"),),
    prompt_takes=2,
    idle=3,
)
FEW = CorpusOptions(seed=3, signers=2, glosses=("STOP",), takes=1, sentences=1, idle=1)


def test_a_corpus_holds_what_was_asked_for() -> None:
    recordings = list(synthesize_corpus(OPTIONS))
    assert len(recordings) == OPTIONS.recordings == 2 * (2 + 3 * 2 + 2 + 3)
    assert len({recording.name for recording in recordings}) == len(recordings)
    assert {recording.signer for recording in recordings} == {"signer000", "signer001"}
    alone = [recording.glosses for recording in recordings if len(recording.glosses) == 1]
    assert sorted(alone) == sorted([(gloss,) for gloss in OPTIONS.glosses] * 4)
    assert [r.glosses for r in recordings].count(("YES", "NO")) == 4
    assert [r.glosses for r in recordings].count(()) == 6
    for recording in recordings:
        assert set(recording.glosses) <= {*OPTIONS.glosses, "YES", "NO"}


def test_equal_options_give_equal_recordings_one_after_the_other() -> None:
    end = 0
    for first, second in zip(synthesize_corpus(FEW), synthesize_corpus(FEW)):
        np.testing.assert_array_equal(first.stamps, second.stamps)
        np.testing.assert_array_equal(first.positions, second.positions)
        assert first.stamps[0] > end
        end = first.stamps[-1]
        assert all(first.stamps[0] <= s.start < s.end <= end for s in first.segments)


def test_a_signer_is_the_same_person_in_every_corpus() -> None:
    one = CorpusOptions(seed=3, first_signer=1, sentences=1)
    both = CorpusOptions(seed=3, signers=2, sentences=1)
    (alone,) = synthesize_corpus(one)
    _, beside = synthesize_corpus(both)
    assert alone.signer == beside.signer == "signer001"
    np.testing.assert_array_equal(alone.positions, beside.positions)
    assert corpus_signer(one, 1).seed != corpus_signer(one, 2).seed
    assert corpus_signer(one, 1).seed != corpus_signer(replace(one, seed=4), 1).seed


def test_takes_of_a_sign_differ() -> None:
    options = CorpusOptions(glosses=("STOP",), takes=2)
    first, second = synthesize_corpus(options)
    assert len(first) != len(second) or not np.allclose(first.positions, second.positions)


def test_left_handed_signers_are_as_many_as_asked_for() -> None:
    def share(probability: float) -> float:
        options = CorpusOptions(left_handed=probability)
        return float(np.mean([corpus_signer(options, n).style.left_handed for n in range(40)]))

    assert share(0.0) == 0.0
    assert 0.3 < share(0.5) < 0.7
    assert share(1.0) == 1.0


def test_the_truth_of_a_corpus_is_the_same_movement() -> None:
    options = CorpusOptions(seed=3, sentences=1)
    (seen,), (truth,) = synthesize_corpus(options), synthesize_corpus(truth_of(options, 30.0))
    assert seen.segments == truth.segments
    assert truth.confidence.min() == 1
    assert np.diff(truth.stamps).mean() == pytest.approx(1e9 / 30)


def test_sentences_repeat_as_often_as_asked_for() -> None:
    rng = np.random.default_rng(0)
    glosses = default_lexicon().glosses

    def share(probability: float) -> float:
        sentences = [random_sentence(rng, glosses, (3, 6), probability) for _ in range(300)]
        assert all(3 <= len(sentence) <= 6 for sentence in sentences)
        pairs = [pair for s in sentences for pair in pairwise(s)]
        return float(np.mean([a == b for a, b in pairs]))

    assert share(0.0) == 0.0
    assert share(0.3) == pytest.approx(0.3, abs=0.05)
    assert random_sentence(rng, ["STOP"], (3, 3), 0.0) == ("STOP",) * 3


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"glosses": ("STOP", "FOO")}, "FOO"),
        ({"prompts": (("BAR",),)}, "BAR"),
        ({"length": (4, 2)}, "length"),
        ({"repeats": 1.0}, "repeats"),
    ],
)
def test_options_that_make_no_sense_are_refused(change: dict, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        CorpusOptions(**change)
