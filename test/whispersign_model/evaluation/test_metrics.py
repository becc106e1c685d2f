# SPDX-License-Identifier: MIT
"""Error rates: what each kind of error counts, and what it is a share of."""

from __future__ import annotations

import math

import pytest

from whispersign_model.evaluation.metrics import GlossErrors, bootstrap


def counted(*pairs: tuple[str, str]) -> GlossErrors:
    errors = GlossErrors()
    for reference, hypothesis in pairs:
        errors.add(list(reference), list(hypothesis))
    return errors


@pytest.mark.parametrize(
    ("pairs", "edits", "wer"),
    [
        ([("ABCD", "A")], (0, 3, 0), 3 / 4),
        ([("A", "ABCD")], (0, 0, 3), 3),
        ([("AB", "XB"), ("C", "C")], (1, 0, 0), 1 / 3),
        ([("AAAA", "AAAA"), ("B", "")], (0, 1, 0), 1 / 5),  # of all glosses, not a mean of clips
    ],
)
def test_the_error_rate_is_a_share_of_what_was_signed(
    pairs: list[tuple[str, str]], edits: tuple[int, int, int], wer: float
) -> None:
    errors = counted(*pairs)
    assert (errors.substitutions, errors.deletions, errors.insertions) == edits
    assert errors.wer == pytest.approx(wer)


def test_a_sequence_is_right_as_a_whole_or_not() -> None:
    errors = counted(("AB", "AB"), ("AB", "BA"), ("AB", "A"), ("", ""))
    assert errors.accuracy == 1 / 2
    assert math.isnan(GlossErrors().accuracy)
    assert math.isnan(counted(("", "A")).wer)


def test_precision_is_of_what_was_recognised_and_recall_of_what_was_signed() -> None:
    found = counted(("AAB", "ABB"), ("A", "A"), ("C", "B")).report()["per_gloss"]
    shares = {g: [each[k] for k in ("count", "precision", "recall")] for g, each in found.items()}
    assert shares == {
        "A": [3, 1.0, pytest.approx(2 / 3)],
        "B": [1, pytest.approx(1 / 3), 1.0],
        "C": [1, 0.0, 0.0],
    }
    assert [found[gloss]["f1"] for gloss in "ABC"] == pytest.approx([0.8, 0.5, 0])


def test_what_was_missed_and_what_was_not_signed_is_said_of_each_gloss() -> None:
    found = counted(("AB", "A"), ("A", "AA")).report()["per_gloss"]
    assert [found["A"][key] for key in ("deleted", "inserted")] == [0, 1]
    assert [found["B"][key] for key in ("deleted", "inserted")] == [1, 0]


def test_an_interval_is_that_of_the_binomial_where_sequences_are_single_glosses() -> None:
    counts = [(0, 1, 1, 1)] * 75 + [(1, 1, 0, 1)] * 25
    interval = bootstrap(counts, "sequences")
    spread = 1.96 * math.sqrt(0.75 * 0.25 / 100)
    assert interval.accuracy == pytest.approx((0.75 - spread, 0.75 + spread), abs=0.02)
    assert interval.wer == pytest.approx((0.25 - spread, 0.25 + spread), abs=0.02)
    assert (interval.over, interval.units) == ("sequences", 100)
    assert bootstrap(counts, "sequences") == interval
    assert bootstrap(counts, "sequences", seed=1).wer != interval.wer


def test_a_long_sequence_counts_by_its_glosses() -> None:
    interval = bootstrap([(0, 99, 1, 1), (1, 1, 0, 1)], "sequences")
    assert interval.wer == pytest.approx((0, 1))


def test_of_nothing_there_is_no_interval() -> None:
    assert all(math.isnan(bound) for bound in bootstrap([], "signers").wer)
    assert all(math.isnan(bound) for bound in bootstrap([(1, 0, 0, 1)], "sequences").wer)
    assert bootstrap([(1, 0, 0, 1)], "sequences").accuracy == pytest.approx((0, 0.7935), abs=1e-4)


@pytest.mark.parametrize(
    ("right", "wrong", "low", "high"),
    [
        (1, 0, 0.2065, 1),
        (0, 1, 0, 0.7935),
        (4, 0, 0.5101, 1),
        (20, 0, 0.8389, 1),
        (0, 400, 0, 0.0095),
        (2, 1, 0, 1),  # the bootstrap is wider than (0.2077, 0.9385)
    ],
)
@pytest.mark.parametrize("over", ["sequences", "signers"])
def test_few_or_like_sequences_are_not_certain(over, right, wrong, low, high) -> None:
    interval = bootstrap([(0, 1, 1, 1)] * right + [(1, 1, 0, 1)] * wrong, over)
    assert interval.accuracy == pytest.approx((low, high), abs=1e-4)
    assert interval.wer == pytest.approx((1 - high, 1 - low), abs=1e-4)
    assert interval.wilson


def test_a_sequence_is_one_trial_however_long_it_is() -> None:
    interval = bootstrap([(10, 100, 0, 1)] * 20, "sequences")
    assert interval.wer == pytest.approx((0.0279, 0.3010), abs=1e-4)


def test_an_error_rate_above_1_stays_within_its_interval() -> None:
    low, high = bootstrap([(3, 1, 0, 1)], "sequences").wer
    assert low == pytest.approx(0.2065, abs=1e-4)
    assert high == 3


def test_many_unlike_sequences_need_no_wilson() -> None:
    assert not bootstrap([(0, 1, 1, 1)] * 9 + [(1, 1, 0, 1)], "sequences").wilson
