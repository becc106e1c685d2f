# SPDX-License-Identifier: MIT
"""The report on a conversion: its examples, and what was left out and why."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from whispersign_model.datasets.short_clips import ShortClip
from whispersign_model.datasets.splits import SPLITS
from whispersign_model.recordings.atomic import replace_file

TEXT, JSON = "report.txt", "report.json"  # file in the dataset's folder
REASONS_SHOWN = 10  # largest number of skipped recordings that the text lists by name


@dataclass(frozen=True)
class ReportedExample:
    """One example in the report.

    Attributes:
        name, split, signer, source: as in the manifest.
        origin: the bag that it comes from, or its name in an archive.
        seconds: duration.
        frame_rate: median frame rate of the recording in Hz; 0 for a single frame.
        tracked: share of the time with a tracked hand, 0 to 1.
        glosses: glosses in order of signing; empty if nothing is signed.
    """

    name: str
    split: str
    signer: str
    source: str
    origin: str
    seconds: float
    frame_rate: float
    tracked: float
    glosses: tuple[str, ...]


@dataclass
class SplitSummary:
    """Summary of one split: numbers of recordings, seconds, gloss tokens and signers."""

    recordings: int = 0
    unlabelled: int = 0
    seconds: float = 0.0
    glosses: Counter[str] = field(default_factory=Counter)
    signers: Counter[str] = field(default_factory=Counter)

    def line(self) -> str:
        """Return the summary as text."""
        return (
            f"{self.recordings} recordings, {self.seconds:.1f} s, "
            f"{self.glosses.total()} glosses of {len(self.glosses)} kinds"
            + (f", {len(self.signers)} signers" if self.signers else "")
            + (f", {self.unlabelled} recordings without glosses" if self.unlabelled else "")
        )


@dataclass
class ConversionReport:
    """A report that the conversion fills in.

    Attributes:
        examples: the examples of the dataset.
        left_out: ``(recording, reason)`` for each recording or part without an example.
        warnings: warnings for the user.
        short: the examples that are too short for their glosses.
        counts: number of repaired frames, joints and clock jumps, by kind of repair.
        coordinates: coordinates of the features, as in the recipe.
    """

    examples: list[ReportedExample] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    short: list[ShortClip] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    coordinates: str = ""

    @property
    def splits(self) -> dict[str, SplitSummary]:
        """Return a summary of each split."""
        summaries = {split: SplitSummary() for split in SPLITS}
        for example in self.examples:
            summary = summaries[example.split]
            summary.recordings += 1
            summary.unlabelled += not example.glosses
            summary.seconds += example.seconds
            summary.glosses.update(example.glosses)
            if example.signer:
                summary.signers[example.signer] += 1
        return summaries

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        text = [f"{name:>5}: {summary.line()}" for name, summary in self.splits.items()]
        text += self._spans()
        text += [f"{count} {kind}" for kind, count in self.counts.items() if count]
        text += [f"left out {name}: {reason}" for name, reason in self.left_out[:REASONS_SHOWN]]
        if more := self.left_out[REASONS_SHOWN:]:
            reasons = Counter(reason for _, reason in more).most_common()
            text.append(
                f"left out {len(more)} more: "
                + ", ".join(f"{reason} ({count})" for reason, count in reasons)
            )
        return text + [f"warning: {warning}" for warning in self.warnings]

    def _spans(self) -> list[str]:
        """Return the ranges of the examples' durations, frame rates and tracked shares."""
        measures = {
            "seconds per recording": [example.seconds for example in self.examples],
            "frames per second": [example.frame_rate for example in self.examples],
            "% of the time with a hand": [100 * example.tracked for example in self.examples],
        }
        return [
            f"{min(values):.1f} to {max(values):.1f} {what}, median {median(values):.1f}"
            for what, values in measures.items()
            if values
        ]

    def to_json(self) -> str:
        """Return the whole report as JSON."""
        content = {
            "splits": {name: vars(summary) for name, summary in self.splits.items()},
            "recordings": [asdict(example) for example in self.examples],
            "left_out": [{"name": name, "reason": reason} for name, reason in self.left_out],
            "warnings": self.warnings,
            "too_short": [clip._asdict() for clip in self.short],
            "repairs": self.counts,
            "coordinates": self.coordinates,
        }
        return json.dumps(content, indent=1, ensure_ascii=False)

    def write(self, folder: Path) -> None:
        """Write ``report.txt`` and ``report.json``.

        Raises:
            OSError: the files cannot be written.
        """
        replace_file(folder / TEXT, "".join(f"{line}\n" for line in self.lines()).encode())
        replace_file(folder / JSON, f"{self.to_json()}\n".encode())
