# SPDX-License-Identifier: MIT
"""Edit distance with its alignment: what was substituted, deleted and inserted."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Edit(NamedTuple):
    """One column of an alignment; the index is None on a side without an item."""

    reference: int | None
    hypothesis: int | None


def edits(reference: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> list[Edit]:
    """Align two sequences with the fewest substitutions, deletions and insertions (Levenshtein).

    Returns:
        columns in order: both indices = match or substitution, hypothesis None = deletion,
        reference None = insertion.
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

    Of equally good prefixes the longest counts: an item that may belong to ``known`` is not taken
    for its continuation.
    """
    costs = _costs(known, whole)[-1]
    return len(whole) - int(costs[::-1].argmin())


def _costs(reference: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> NDArray[np.int_]:
    """Return ``(R + 1, H + 1)``: the fewest edits between each pair of prefixes."""
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
