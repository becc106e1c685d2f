# SPDX-License-Identifier: MIT
"""CTC: collapse rules, and beam search against the sum over all paths."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whispersign_model.datasets.short_clips import required_steps
from whispersign_model.decoding.ctc import (
    PrefixBeam,
    collapse,
    common_prefix,
    greedy_search,
    prefix_beam_search,
)
from whispersign_model.decoding.forced_alignment import align
from whispersign_model.decoding.search import DecodingOptions, decode


def posteriors(steps: int, labels: int, seed: int) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(size=(steps, labels)) * 2
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def exhaustive(log_probs: np.ndarray) -> dict[tuple[int, ...], float]:
    totals: dict[tuple[int, ...], float] = {}
    steps, labels = log_probs.shape
    for path in itertools.product(range(labels), repeat=steps):
        score = log_probs[np.arange(steps), path].sum()
        key = collapse(path)
        totals[key] = np.logaddexp(totals.get(key, -np.inf), score)
    return totals


@pytest.mark.parametrize(
    ("path", "glosses"),
    [
        ([], ()),
        ([0, 0], ()),
        ([1, 1, 2], (1, 2)),
        ([1, 0, 1], (1, 1)),
        ([0, 3, 3, 0, 3, 2, 2, 0], (3, 3, 2)),
    ],
)
def test_collapse(path, glosses):
    assert collapse(path) == glosses


@given(st.lists(st.integers(0, 3), max_size=12))
def test_collapse_undoes_expansion(glosses):
    path = [step for gloss in glosses if gloss for step in (gloss, gloss, 0)]
    assert collapse(path) == tuple(gloss for gloss in glosses if gloss)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(2, 4), st.integers(0, 1000))
def test_unlimited_beam_equals_the_sum_over_all_paths(steps, labels, seed):
    log_probs = posteriors(steps, labels, seed)
    truth = exhaustive(log_probs)
    found = prefix_beam_search(log_probs, beam_size=10_000, candidates=labels)
    reachable = {ids: score for ids, score in truth.items() if np.isfinite(score)}
    scores = {h.ids: h.score for h in found if np.isfinite(h.score)}
    assert scores.keys() == reachable.keys()
    for ids, score in reachable.items():
        assert scores[ids] == pytest.approx(score, abs=1e-9)
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


def test_greedy_takes_the_best_label_of_each_step():
    log_probs = np.log(
        np.array([[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.2, 0.7, 0.1]])
    )
    assert greedy_search(log_probs).ids == (1, 1)


def test_no_steps_give_the_empty_sequence():
    nothing = np.zeros((0, 4))
    assert greedy_search(nothing).ids == ()
    assert prefix_beam_search(nothing)[0].ids == ()
    assert (
        decode(nothing, "rescore", DecodingOptions(alpha=0.8), lambda ids: np.zeros(len(ids))).spans
        == ()
    )


def test_alignment_finds_the_steps_of_each_gloss():
    path = [0, 1, 1, 0, 0, 2, 0, 2, 2, 0]
    log_probs = np.full((len(path), 3), np.log(0.05))
    log_probs[np.arange(len(path)), path] = np.log(0.9)
    assert align(log_probs, (1, 2, 2)) == [(1, 3), (5, 6), (7, 9)]
    with pytest.raises(ValueError, match="cannot be aligned"):
        align(log_probs[:3], (2, 2, 1))


def test_long_sequences_are_aligned():
    path = [1 + step % 2 for step in range(300)]
    log_probs = np.full((300, 3), np.log(0.05))
    log_probs[np.arange(300), path] = np.log(0.9)
    assert align(log_probs, path) == [(step, step + 1) for step in range(300)]


def test_repeats_need_a_blank_between():
    assert required_steps((1, 2, 2, 2)) == 6
    assert required_steps(()) == 0


def test_attention_decoder_can_change_the_choice():
    log_probs = np.log(np.array([[0.05, 0.5, 0.45]] * 3))

    def attention(ids):
        return np.array([0.0 if i == (2,) else -20.0 for i in ids])

    ctc = decode(log_probs, "beam", DecodingOptions(), attention)
    both = decode(log_probs, "rescore", DecodingOptions(alpha=0.5), attention)
    only_ctc = decode(log_probs, "rescore", DecodingOptions(alpha=1.0), attention)
    assert ctc.ids == only_ctc.ids != both.ids == (2,)
    assert both.n_best[0].ids == (2,)
    assert len(both.n_best) > 1


def test_confidence_falls_with_disagreement_and_with_low_probability():
    sure = decode(np.log([[0.01, 0.98, 0.01]] * 2), "beam", DecodingOptions(), lambda _: None)
    torn = decode(np.log([[0.02, 0.5, 0.48]] * 2), "beam", DecodingOptions(), lambda _: None)
    assert sure.spans[0].confidence > 0.9 > torn.spans[0].confidence > 0.1
    assert torn.spans[0].alternatives[0][0] == 2
    alone = decode(np.log([[0.3, 0.6, 0.1]]), "greedy", DecodingOptions(), lambda _: None)
    assert alone.spans[0].confidence == pytest.approx(0.6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 30), st.integers(2, 6), st.integers(0, 1000), st.lists(st.integers(0, 30)))
def test_a_beam_in_pieces_is_the_beam_at_once(steps, labels, seed, cuts):
    log_probs = posteriors(steps, labels, seed)
    beam = PrefixBeam(beam_size=4, candidates=3)
    for piece in np.split(log_probs, sorted(cut for cut in cuts if cut <= steps)):
        beam.push(piece)
    assert beam.hypotheses() == prefix_beam_search(log_probs, beam_size=4, candidates=3)


def test_a_copy_of_a_beam_goes_its_own_way():
    first, second = posteriors(5, 4, 0), posteriors(5, 4, 1)
    beam = PrefixBeam()
    beam.push(first)
    ahead = beam.copy()
    before = beam.hypotheses()
    ahead.push(second)
    assert beam.hypotheses() == before != ahead.hypotheses()
    beam.push(second)
    assert beam.hypotheses() == ahead.hypotheses()


def test_a_beam_keeps_what_begins_as_it_is_told():
    beam = PrefixBeam(beam_size=50)
    beam.push(posteriors(6, 4, 2))
    scores = {h.ids: h.score for h in beam.hypotheses()}
    prefix = beam.hypotheses()[0].ids[:1]
    assert prefix
    beam.keep(prefix)
    kept = {h.ids: h.score for h in beam.hypotheses()}
    assert kept == {ids: score for ids, score in scores.items() if ids[:1] == prefix}
    assert len(kept) < len(scores)


@given(st.lists(st.lists(st.integers(0, 2), max_size=5).map(tuple), min_size=1, max_size=4))
def test_a_common_prefix_is_the_longest_that_all_begin_with(sequences):
    common = common_prefix(sequences)
    assert all(each[: len(common)] == common for each in sequences)
    assert len({each[: len(common) + 1] for each in sequences}) > 1 or common in sequences
