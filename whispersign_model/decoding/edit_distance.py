# SPDX-License-Identifier: MIT
"""Edit distance with an alignment that shows substitutions, deletions and insertions."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Edit(NamedTuple):
    """One column of an alignment: an index into each sequence, or None where there is no item."""

    reference: int | None
    hypothesis: int | None


def edits(reference: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> list[Edit]:
    """Align two sequences with the fewest substitutions, deletions and insertions (Levenshtein).

    Returns:
        the columns in order. Two indices mean a match or a substitution; a missing hypothesis index
        means a deletion, a missing reference index an insertion.
    """
    cost = _costs(reference, hypothesis)
    path: list[Edit] = []
    row, column = len(reference), len(hypothesis)
    while row or column:
        here = cost[row, column]
        if row and column:
            differs = reference[row - 1] != hypothesis[column - 1]
            if here == cost[row - 1, column - 1] + differs:
                row, column = row - 1, column - 1
                path.append(Edit(row, column))
                continue
        if row and here == cost[row - 1, column] + 1:
            row -= 1
            path.append(Edit(row, None))
        else:
            column -= 1
            path.append(Edit(None, column))
    return path[::-1]


def continuation(known: Sequence[Hashable], whole: Sequence[Hashable]) -> int:
    """Return the length of the prefix of ``whole`` with the fewest edits to ``known``.

    Among equally good prefixes, the longest wins: an item that may belong to ``known`` does not
    count as a continuation.
    """
    costs = _costs(known, whole)[-1]
    return len(whole) - int(costs[::-1].argmin())


def _costs(reference: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> NDArray[np.int_]:
    """Return the fewest edits between each pair of prefixes, ``(R + 1, H + 1)``."""
    rows, columns = len(reference), len(hypothesis)
    cost = np.zeros((rows + 1, columns + 1), int)
    cost[:, 0] = np.arange(rows + 1)
    cost[0] = np.arange(columns + 1)
    for row in range(1, rows + 1):
        for column in range(1, columns + 1):
            differs = reference[row - 1] != hypothesis[column - 1]
            cost[row, column] = min(
                cost[row - 1, column - 1] + differs,
                cost[row - 1, column] + 1,
                cost[row, column - 1] + 1,
            )
    return cost
