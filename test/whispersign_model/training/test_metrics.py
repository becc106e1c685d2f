"""Error rates: what each kind of error counts, and what it is a share of."""

from __future__ import annotations

import math

import pytest

from whispersign_model.training.metrics import GlossErrors


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
    assert found["A"] == {"count": 3, "precision": 1.0, "recall": pytest.approx(2 / 3)}
    assert found["B"] == {"count": 1, "precision": pytest.approx(1 / 3), "recall": 1.0}
    assert found["C"] == {"count": 1, "precision": 0.0, "recall": 0.0}
