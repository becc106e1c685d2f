# SPDX-License-Identifier: MIT
"""Edit distance: as few edits as there can be, and an alignment that accounts for every gloss."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whispersign_model.decoding.edit_distance import Edit, continuation, edits

glosses = st.lists(st.sampled_from("ABC"), max_size=7)


def distance(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Levenshtein's definition, word by word."""

    @cache
    def rest(row: int, column: int) -> int:
        if not row or not column:
            return row + column
        return min(
            rest(row - 1, column) + 1,
            rest(row, column - 1) + 1,
            rest(row - 1, column - 1) + (reference[row - 1] != hypothesis[column - 1]),
        )

    return rest(len(reference), len(hypothesis))


def errors(columns: list[Edit], reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    return sum(
        None in column or reference[column.reference] != hypothesis[column.hypothesis]
        for column in columns
    )


@given(glosses, glosses)
def test_no_alignment_has_fewer_errors(reference: list[str], hypothesis: list[str]) -> None:
    columns = edits(reference, hypothesis)
    assert errors(columns, reference, hypothesis) == distance(reference, hypothesis)


@given(glosses, glosses)
def test_every_gloss_of_both_is_in_one_column_in_order(
    reference: list[str], hypothesis: list[str]
) -> None:
    columns = edits(reference, hypothesis)
    assert [c.reference for c in columns if c.reference is not None] == [*range(len(reference))]
    assert [c.hypothesis for c in columns if c.hypothesis is not None] == [*range(len(hypothesis))]
    assert Edit(None, None) not in columns


@given(glosses, glosses, glosses)
def test_a_way_round_is_never_shorter(one: list[str], other: list[str], third: list[str]) -> None:
    def apart(a: list[str], b: list[str]) -> int:
        return errors(edits(a, b), a, b)

    assert apart(one, other) == apart(other, one)
    assert apart(one, third) <= apart(one, other) + apart(other, third)
    assert (apart(one, other) == 0) == (one == other)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "columns"),
    [
        ("ABC", "AXC", [(0, 0), (1, 1), (2, 2)]),
        ("ABC", "AC", [(0, 0), (1, None), (2, 1)]),
        ("AC", "ABC", [(0, 0), (None, 1), (1, 2)]),
        ("", "A", [(None, 0)]),
        ("A", "", [(0, None)]),
        ("", "", []),
    ],
)
def test_what_is_left_out_and_what_is_put_in(
    reference: str, hypothesis: str, columns: list[tuple[int | None, int | None]]
) -> None:
    assert edits(reference, hypothesis) == columns


@pytest.mark.parametrize(
    ("known", "whole", "rest"),
    [
        ("", "AB", "AB"),
        ("A", "AB", "B"),
        ("AB", "AB", ""),
        ("A", "B", ""),
        ("AB", "AXCC", "CC"),
        ("A", "", ""),
        ("A", "AA", "A"),
        ("AB", "XABC", "C"),
    ],
)
def test_what_continues_a_sequence(known: str, whole: str, rest: str) -> None:
    assert whole[continuation(known, whole) :] == rest
