# SPDX-License-Identifier: MIT
"""Two-pass search: what a beam keeps, how two passes are weighed, and how sure each gloss is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from whispersign_model.decoding.ctc import collapse, prefix_beam_search
from whispersign_model.decoding.search import DecodingOptions, decode

Scores = NDArray[np.float64]


def posteriors(steps: int, labels: int, seed: int) -> Scores:
    logits = np.random.default_rng(seed).normal(0, 2, (steps, labels))
    return np.asarray(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))


def never(ids: Sequence[tuple[int, ...]]) -> Scores:
    raise AssertionError("the attention decoder was asked")


def by_last_gloss(ids: Sequence[tuple[int, ...]]) -> Scores:
    """An attention decoder that likes sequences the more, the higher their last gloss."""
    return np.array([float(max(each[-1:], default=0)) for each in ids])


@given(st.lists(st.integers(0, 3), max_size=12), st.lists(st.integers(0, 3), max_size=12))
def test_collapse_of_two_paths_with_a_blank_between_is_that_of_each(
    first: list[int], second: list[int]
) -> None:
    assert collapse([*first, 0, *second]) == collapse(first) + collapse(second)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=8))
def test_collapse_does_not_see_how_long_a_step_is_held(held: list[tuple[int, int]]) -> None:
    path = [label for label, _ in held]
    assert collapse([label for label, times in held for _ in range(times)]) == collapse(path)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.integers(1, 5),
    labels=st.integers(2, 4),
    beam=st.integers(1, 6),
    seed=st.integers(0, 10**6),
)
def test_a_beam_is_no_larger_than_asked_and_gives_no_sequence_more_than_all_its_paths(
    steps: int, labels: int, beam: int, seed: int
) -> None:
    log_probs = posteriors(steps, labels, seed)
    totals: dict[tuple[int, ...], float] = {}
    for path in product(range(labels), repeat=steps):
        ids, score = collapse(path), log_probs[np.arange(steps), path].sum()
        totals[ids] = float(np.logaddexp(totals.get(ids, -np.inf), score))
    found = prefix_beam_search(log_probs, beam_size=beam)
    assert 1 <= len(found) <= beam
    assert len({hypothesis.ids for hypothesis in found}) == len(found)
    scores = [hypothesis.score for hypothesis in found]
    assert scores == sorted(scores, reverse=True)
    for hypothesis in found:
        assert hypothesis.score <= totals[hypothesis.ids] + 1e-9
    if beam >= len(totals):
        assert found[0].score == pytest.approx(max(totals.values()))


def test_a_sequence_counts_with_all_its_paths_not_with_its_best() -> None:
    log_probs = np.log([[0.6, 0.4], [0.7, 0.3]])
    best = decode(log_probs, "beam", DecodingOptions(beam_size=2), never)
    assert [hypothesis.ids for hypothesis in best.n_best] == [(1,), ()]
    assert np.exp(best.score) == pytest.approx(0.58)
    assert decode(log_probs, "greedy", DecodingOptions(), never).ids == ()


def test_candidates_are_the_most_probable_glosses_of_a_step() -> None:
    log_probs = np.log([[0.4, 0.05, 0.35, 0.2], [0.6, 0.25, 0.1, 0.05]])
    heard = {
        count: {
            hypothesis.ids
            for hypothesis in prefix_beam_search(log_probs, beam_size=100, candidates=count)
        }
        for count in (1, 2, 99)
    }
    assert heard[1] == {(), (2,), (1,), (2, 1)}
    assert heard[1] < heard[2] < heard[99]
    assert (1, 3) in heard[99] - heard[2]


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_two_passes_are_weighed_by_alpha(alpha: float) -> None:
    log_probs = posteriors(6, 4, 3)
    options = DecodingOptions(alpha=alpha)
    ctc = {h.ids: h.score for h in decode(log_probs, "beam", options, never).n_best}
    both = decode(log_probs, "rescore", options, by_last_gloss)
    assert {hypothesis.ids for hypothesis in both.n_best} == ctc.keys()
    for hypothesis in both.n_best:
        attention = float(by_last_gloss([hypothesis.ids])[0])
        expected = alpha * ctc[hypothesis.ids] + (1 - alpha) * attention
        assert hypothesis.score == pytest.approx(expected)
    scores = [hypothesis.score for hypothesis in both.n_best]
    assert scores == sorted(scores, reverse=True)
    assert (both.ids, both.score) == (both.n_best[0].ids, scores[0])


def test_alpha_is_the_networks_unless_one_is_given() -> None:
    assert DecodingOptions(beam_size=3).with_alpha(0.2) == DecodingOptions(beam_size=3, alpha=0.2)
    assert DecodingOptions(alpha=0.0).with_alpha(0.2).alpha == 0


def test_a_sequence_that_does_not_fit_the_steps_is_not_rescored() -> None:
    def longest(ids: Sequence[tuple[int, ...]]) -> Scores:
        assert (1, 1) not in ids
        return np.array([float(len(each)) for each in ids])

    log_probs = np.log([[0.2, 0.8], [0.3, 0.7]])
    best = decode(log_probs, "rescore", DecodingOptions(alpha=0), longest)
    assert [(hypothesis.ids, hypothesis.score) for hypothesis in best.n_best] == [
        ((1,), 1),
        ((), 0),
    ]
    assert 0 < best.spans[0].confidence <= 1


def test_only_the_best_has_spans_and_they_are_its_own() -> None:
    path = [0, 1, 1, 0, 2, 2, 2, 0]
    log_probs = np.full((len(path), 3), np.log(0.05))
    log_probs[np.arange(len(path)), path] = np.log(0.9)
    for method in ("greedy", "beam", "rescore"):
        best = decode(log_probs, method, DecodingOptions(alpha=0.8), by_last_gloss)
        assert [(s.gloss_id, s.start, s.end) for s in best.spans] == [(1, 1, 3), (2, 4, 7)]


def test_confidence_is_the_share_that_agrees_times_the_highest_probability() -> None:
    log_probs = np.log([[0.1, 0.8, 0.05, 0.05], [0.91, 0.03, 0.03, 0.03], [0.05, 0.05, 0.5, 0.4]])
    best = decode(log_probs, "beam", DecodingOptions(beam_size=2), never)
    assert [hypothesis.ids for hypothesis in best.n_best] == [(1, 2), (1, 3)]
    one, other = (np.exp(hypothesis.score) for hypothesis in best.n_best)
    share = one / (one + other)
    assert best.spans[0].confidence == pytest.approx(0.8)
    assert best.spans[0].alternatives == ()
    assert best.spans[1].confidence == pytest.approx(share * 0.5)
    assert best.spans[1].alternatives == ((3, pytest.approx(1 - share)),)


def test_a_sequence_without_glosses_has_no_spans() -> None:
    log_probs = np.log([[0.98, 0.02]] * 3)
    best = decode(log_probs, "rescore", DecodingOptions(alpha=0.8), lambda ids: np.zeros(len(ids)))
    assert (best.ids, best.spans) == ((), ())


def test_after_rescoring_the_confidence_is_the_share_alone() -> None:
    """A gloss that the attention decoder is sure of may be faint in every single step."""
    log_probs = np.log([[0.5, 0.4, 0.1], [0.5, 0.4, 0.1]])
    best = decode(log_probs, "rescore", DecodingOptions(alpha=0), by_first)
    shares = np.exp([5.0 if each.ids[:1] == (1,) else 0.0 for each in best.n_best])
    agree = [each.ids[:1] == (1,) for each in best.n_best]
    assert best.ids[0] == 1
    assert best.spans[0].confidence == pytest.approx(shares[agree].sum() / shares.sum(), abs=0.01)
    assert best.spans[0].confidence > 0.9


def by_first(ids: Sequence[tuple[int, ...]]) -> Scores:
    return np.array([5.0 if each[:1] == (1,) else 0.0 for each in ids])
