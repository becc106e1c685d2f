"""Error rates of recognised gloss sequences, with what was substituted, deleted and inserted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from whispersign_model.decoding.edit_distance import edits


class GlossErrors:
    """Counts errors over many sequences; WER is edits divided by reference glosses."""

    def __init__(self) -> None:
        self.sequences = 0
        self.exact = 0
        self.pairs: Counter[tuple[str | None, str | None]] = Counter()  # (reference, hypothesis)

    def add(self, reference: Sequence[str], hypothesis: Sequence[str]) -> None:
        """Align one recognised sequence to what was signed."""
        self.sequences += 1
        self.exact += tuple(reference) == tuple(hypothesis)
        for edit in edits(reference, hypothesis):
            signed = None if edit.reference is None else reference[edit.reference]
            heard = None if edit.hypothesis is None else hypothesis[edit.hypothesis]
            self.pairs[signed, heard] += 1

    @property
    def substitutions(self) -> int:
        """Glosses recognised as another."""
        return sum(n for (a, b), n in self.pairs.items() if a and b and a != b)

    @property
    def deletions(self) -> int:
        """Glosses signed and not recognised."""
        return sum(n for (_, b), n in self.pairs.items() if b is None)

    @property
    def insertions(self) -> int:
        """Glosses recognised and not signed."""
        return sum(n for (a, _), n in self.pairs.items() if a is None)

    @property
    def wer(self) -> float:
        """Word error rate: (S + D + I) / reference glosses; NaN when there are none."""
        glosses = sum(n for (a, _), n in self.pairs.items() if a is not None)
        errors = self.substitutions + self.deletions + self.insertions
        return errors / glosses if glosses else float("nan")

    @property
    def accuracy(self) -> float:
        """Share of sequences that are exactly right; NaN when there are none."""
        return self.exact / self.sequences if self.sequences else float("nan")

    def report(self) -> dict[str, Any]:
        """All figures as plain values, for JSON."""
        return {
            "wer": self.wer,
            "accuracy": self.accuracy,
            "sequences": self.sequences,
            "substitutions": self.substitutions,
            "deletions": self.deletions,
            "insertions": self.insertions,
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
            }
            for gloss in sorted(signed | heard)
        }
