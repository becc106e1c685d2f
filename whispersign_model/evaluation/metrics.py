# SPDX-License-Identifier: MIT
"""Error rates of recognized gloss sequences, with substitutions, deletions and insertions."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from whispersign_model.arrays import Doubles
from whispersign_model.decoding.edit_distance import edits

RESAMPLES = 2000  # number of bootstrap resamples
LEVEL = 0.95  # confidence level of an interval
FEW = 10  # units; resamples of fewer spread too little
QUANTILE = 1.959964  # of the normal distribution at (1 + LEVEL) / 2
MISSED, NOT_SIGNED = "(missed)", "(not signed)"  # placeholders for a missing gloss in a pair


@dataclass(frozen=True)
class Interval:
    """Confidence interval of the error rates, from resampled recordings or signers.

    Attributes:
        wer, accuracy: lower and upper bound of each; NaN where there is nothing to resample.
        over: the unit of resampling: "sequences" or "signers".
        units: number of units.
        level: share of resamples within the bounds.
        resamples: number of resamples.
        seed: seed of the resampling.
        wilson: whether Wilson's interval widens the bounds, because the units are few or alike.
    """

    wer: tuple[float, float]
    accuracy: tuple[float, float]
    over: str
    units: int
    level: float = LEVEL
    resamples: int = RESAMPLES
    seed: int = 0
    wilson: bool = False


def bootstrap(counts: Sequence[tuple[int, int, int, int]], over: str, seed: int = 0) -> Interval:
    """Compute an interval by resampling sequences or whole signers (Bisani and Ney 2004).

    Resamples of one unit, or of units that are all right, do not spread. Wilson's interval (1927)
    with each unit as one trial then widens the bounds, as it does below ``FEW`` units.

    Args:
        counts: for each unit, its errors, reference glosses, correct sequences and sequences.
        over: name of the unit, for the report.
        seed: seed of the resampling.
    """
    table = np.array(counts, float).reshape(-1, 4)
    units = len(table)
    never = (float("nan"), float("nan"))
    if not units:
        return Interval(never, never, over, 0, seed=seed)
    generator = np.random.default_rng(seed)
    sums = np.stack(
        [table[generator.integers(units, size=units)].sum(axis=0) for _ in range(RESAMPLES)]
    )
    bounds, widened = [], False
    for part, whole in ((0, 1), (2, 3)):
        low, high = _bounds(sums[:, part], sums[:, whole])
        trials = int((table[:, whole] > 0).sum())
        if trials and (trials < FEW or low == high):
            least, most = _wilson(table[:, part].sum() / table[:, whole].sum(), trials)
            low, high, widened = min(low, least), max(high, most), True
        bounds.append((low, high))
    return Interval(bounds[0], bounds[1], over, units, seed=seed, wilson=widened)


def _wilson(share: float, trials: int) -> tuple[float, float]:
    """Return Wilson's interval of a share over independent trials (1927); at most 1 counts."""
    share = min(float(share), 1.0)
    square = QUANTILE**2 / trials
    middle = share + square / 2
    half = QUANTILE * math.sqrt(share * (1 - share) / trials + square / (4 * trials))
    return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))


def _bounds(parts: Doubles, wholes: Doubles) -> tuple[float, float]:
    """Return the quantiles of part / whole, over the resamples whose whole is above 0."""
    shares = parts[wholes > 0] / wholes[wholes > 0]
    if not len(shares):
        return float("nan"), float("nan")
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


class GlossErrors:
    """Counts the errors over many sequences."""

    def __init__(self) -> None:
        self.sequences = 0
        self.exact = 0
        self.pairs: Counter[tuple[str | None, str | None]] = Counter()  # (reference, hypothesis)

    def add(self, reference: Sequence[str], hypothesis: Sequence[str]) -> None:
        """Align a recognized sequence with the signed one and count its errors."""
        self.sequences += 1
        self.exact += tuple(reference) == tuple(hypothesis)
        for edit in edits(reference, hypothesis):
            signed = None if edit.reference is None else reference[edit.reference]
            heard = None if edit.hypothesis is None else hypothesis[edit.hypothesis]
            self.pairs[signed, heard] += 1

    @property
    def substitutions(self) -> int:
        """The number of signed glosses that were recognized as another gloss."""
        return sum(n for (a, b), n in self.pairs.items() if a and b and a != b)

    @property
    def deletions(self) -> int:
        """The number of signed glosses that were not recognized."""
        return sum(n for (_, b), n in self.pairs.items() if b is None)

    @property
    def insertions(self) -> int:
        """The number of recognized glosses that were not signed."""
        return sum(n for (a, _), n in self.pairs.items() if a is None)

    @property
    def errors(self) -> int:
        """The total number of substitutions, deletions and insertions."""
        return sum(n for (a, b), n in self.pairs.items() if a != b)

    @property
    def glosses(self) -> int:
        """The number of signed glosses."""
        return sum(n for (a, _), n in self.pairs.items() if a is not None)

    @property
    def wer(self) -> float:
        """The word error rate, (S + D + I) / signed glosses; NaN without signed glosses."""
        return self.errors / self.glosses if self.glosses else float("nan")

    @property
    def accuracy(self) -> float:
        """The share of sequences recognized exactly; NaN without sequences."""
        return self.exact / self.sequences if self.sequences else float("nan")

    def summary(self) -> dict[str, float]:
        """Return the totals over all glosses as plain values, for JSON."""
        return {
            "wer": self.wer,
            "accuracy": self.accuracy,
            "sequences": self.sequences,
            "glosses": self.glosses,
            "substitutions": self.substitutions,
            "deletions": self.deletions,
            "insertions": self.insertions,
        }

    def report(self) -> dict[str, Any]:
        """Return all figures as plain values, for JSON."""
        return {
            **self.summary(),
            "per_gloss": self._per_gloss(),
            "confusions": [
                {"signed": a, "recognized": b, "count": n}
                for (a, b), n in self.pairs.most_common()
                if a and b and a != b
            ],
        }

    def _per_gloss(self) -> dict[str, dict[str, float]]:
        signed: Counter[str] = Counter()
        heard: Counter[str] = Counter()
        right: Counter[str] = Counter()
        for (a, b), n in self.pairs.items():
            if a is not None:
                signed[a] += n
            if b is not None:
                heard[b] += n
            if a is not None and a == b:
                right[a] += n
        return {
            gloss: {
                "count": signed[gloss],
                "precision": right[gloss] / heard[gloss] if heard[gloss] else 0.0,
                "recall": right[gloss] / signed[gloss] if signed[gloss] else 0.0,
                "f1": 2 * right[gloss] / (signed[gloss] + heard[gloss]),
                "deleted": self.pairs[gloss, None],
                "inserted": self.pairs[None, gloss],
            }
            for gloss in sorted(signed | heard)
        }
