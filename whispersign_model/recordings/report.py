"""What a conversion took, what it left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from whispersign_model.recordings.splits import SPLITS

REASONS_SHOWN = 10  # recordings left out that are named one by one


@dataclass
class SplitSummary:
    """One split of a dataset: recordings, seconds, gloss tokens and signers."""

    recordings: int = 0
    seconds: float = 0.0
    glosses: Counter[str] = field(default_factory=Counter)
    signers: set[str] = field(default_factory=set)


@dataclass
class ConversionReport:
    """Filled during a conversion, printed after it.

    Attributes:
        splits: what each split holds.
        left_out: ``(recording, reason)`` of each that gave no example.
        warnings: what a person should know.
        counts: repairs by kind, as frames, joints or jumps.
    """

    splits: dict[str, SplitSummary] = field(
        default_factory=lambda: {split: SplitSummary() for split in SPLITS}
    )
    left_out: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def take(self, split: str, seconds: float, glosses: Iterable[str], signer: str) -> None:
        """Count one example."""
        summary = self.splits[split]
        summary.recordings += 1
        summary.seconds += seconds
        summary.glosses.update(glosses)
        if signer:
            summary.signers.add(signer)

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        text = [
            f"{name:>5}: {split.recordings} recordings, {split.seconds:.1f} s, "
            f"{split.glosses.total()} glosses of {len(split.glosses)} kinds"
            + (f", {len(split.signers)} signers" if split.signers else "")
            for name, split in self.splits.items()
        ]
        text += [f"{count} {kind}" for kind, count in self.counts.items() if count]
        text += [f"left out {name}: {reason}" for name, reason in self.left_out[:REASONS_SHOWN]]
        if more := self.left_out[REASONS_SHOWN:]:
            reasons = Counter(reason for _, reason in more).most_common()
            text.append(
                f"left out {len(more)} more: "
                + ", ".join(f"{reason} ({count})" for reason, count in reasons)
            )
        return text + [f"warning: {warning}" for warning in self.warnings]
