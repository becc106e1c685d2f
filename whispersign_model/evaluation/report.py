# SPDX-License-Identifier: MIT
"""The report on an evaluation: text tables, JSON, and figures."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from whispersign_model.decoding.confidence import ConfidenceScale
from whispersign_model.evaluation.calibration import Reliability, emissions, reliability
from whispersign_model.evaluation.evaluate import (
    Reading,
    agreement,
    by_signer,
    clip_reports,
    count_errors,
    detections,
    without_nan,
)
from whispersign_model.evaluation.metrics import (
    MISSED,
    NOT_SIGNED,
    GlossErrors,
    Interval,
    bootstrap,
)

LIVE, OFFLINE = "live", "rescore"  # the live recognizer, and the offline method it is compared with
ROWS = 10  # number of rows in a printed table; JSON has all rows

Unit = Literal["sequences", "signers"]


@dataclass(frozen=True)
class Evaluation:
    """All readings of a split, grouped by method.

    Attributes:
        split: name of the split.
        readings: readings by "greedy", "beam", "rescore" and, with streaming, "live".
        headline: method that the main figures describe.
        scale: confidence scale of the checkpoint, which was fitted to "rescore".
        over: unit of resampling for the confidence interval.
        chunk: number of patches per chunk offline; 0 for the whole clip.
    """

    split: str
    readings: dict[str, list[Reading]]
    headline: str
    scale: ConfidenceScale
    over: Unit = "sequences"
    chunk: int = 0

    @property
    def errors(self) -> dict[str, GlossErrors]:
        """The errors of each method."""
        return {name: count_errors(readings) for name, readings in self.readings.items()}

    def interval(self) -> Interval:
        """Return the confidence interval of the headline method's error rates."""
        readings = self.readings[self.headline]
        if self.over == "signers":
            units = list(by_signer(readings).values())
        else:
            units = [count_errors([reading]) for reading in readings]
        counts = [(each.errors, each.glosses, each.exact, each.sequences) for each in units]
        return bootstrap(counts, self.over)

    def reliabilities(self) -> dict[str, Reliability]:
        """Return the reliability of the headline method's confidences, raw and calibrated.

        The live recognizer returns only calibrated confidences. Greedy and beam have only raw ones.
        """
        found = emissions(self.readings[self.headline])
        calibrated = self.scale != ConfidenceScale()
        if self.headline == LIVE and calibrated:
            return {"calibrated": reliability(found)}
        measured = {"raw": reliability(found)}
        if self.headline == OFFLINE and calibrated:
            measured["calibrated"] = reliability(found, self.scale)
        return measured

    def report(self) -> dict[str, Any]:
        """Return all figures as plain values for JSON; None for a figure without data."""
        errors = self.errors
        figures: dict[str, Any] = {
            **errors[self.headline].report(),
            "split": self.split,
            "method": self.headline,
            "chunk": self.chunk,
            "interval": asdict(self.interval()),
            "methods": {name: each.summary() for name, each in errors.items()},
            "by_signer": {
                signer: each.summary()
                for signer, each in by_signer(self.readings[self.headline]).items()
            },
            "confidence": {name: each.report() for name, each in self.reliabilities().items()},
            "clips": clip_reports(self.readings[self.headline]),
        }
        if LIVE in self.readings:
            figures["agreement"] = agreement(self.readings[LIVE], self.readings[OFFLINE])
            figures["wer_live_minus_offline"] = errors[LIVE].wer - errors[OFFLINE].wer
            if detected := detections(self.readings[LIVE]):
                figures["detection"] = detected.report()
        cleaned: dict[str, Any] = without_nan(figures)
        return cleaned

    def write_figures(self, folder: Path) -> None:
        """Write ``confusions.png`` and ``reliability.png``.

        Raises:
            ConfigError: the folder cannot be written.
        """
        from whispersign_model.evaluation.figures import (
            confusion_figure,
            reliability_figure,
            write_figure,
        )

        figure = confusion_figure(self.errors[self.headline].pairs)
        write_figure(folder / "confusions.png", figure)
        write_figure(folder / "reliability.png", reliability_figure(self.reliabilities()))

    def show(self, console: Console) -> None:
        """Print the figures. Tables fit the width; other lines are not wrapped."""
        errors, interval = self.errors, self.interval()
        own = errors[self.headline]
        _line(
            console,
            f"{self.split}: WER {own.wer:.3f} (S {own.substitutions}, D {own.deletions}, "
            f"I {own.insertions}), exact {own.accuracy:.3f} of {own.sequences} sequences "
            f"[{self.headline}]",
        )
        _line(
            console,
            f"{interval.level:.0%} interval: WER {_range(interval.wer)}, exact "
            f"{_range(interval.accuracy)} (bootstrap over {interval.units} {interval.over}, "
            f"{'widened by Wilson, ' if interval.wilson else ''}"
            f"{interval.resamples} resamples, seed {interval.seed})",
        )
        _table(console, ("method", *_SUMMARY), ((name, *_row(e)) for name, e in errors.items()))
        if LIVE in self.readings:
            same = agreement(self.readings[LIVE], self.readings[OFFLINE])
            console.print()
            _line(
                console,
                f"live - {OFFLINE}: WER {errors[LIVE].wer - errors[OFFLINE].wer:+.3f}; "
                f"the same glosses in {same:.1%} of the sequences",
            )
            if detected := detections(self.readings[LIVE]):
                of = detected.report()
                _line(
                    console,
                    f"signs found at the right time {of['rate']:.3f}, false ones per sign "
                    f"{of['false_positives']:.3f}, final {of['delay_median']:.2f} s after a sign's "
                    f"end (95 %: {of['delay_p95']:.2f} s)",
                )
        signers = sorted(
            by_signer(self.readings[self.headline]).items(), key=lambda item: -item[1].errors
        )
        if len(signers) > 1:
            rows = [(signer or "unknown", *_row(each)) for signer, each in signers]
            _table(console, ("signer", *_SUMMARY), rows, "signers with the most errors")
        self._show_glosses(console, own)
        console.print()
        for name, each in self.reliabilities().items():
            _line(
                console,
                f"confidence, {name}: expected calibration error {each.error:.3f}, "
                f"Brier {each.brier:.3f}",
            )

    def _show_glosses(self, console: Console, errors: GlossErrors) -> None:
        figures = errors.report()["per_gloss"]
        worst = sorted(figures, key=lambda gloss: (figures[gloss]["f1"], gloss))
        shares = ("precision", "recall", "f1")
        rows = [
            (gloss, str(figures[gloss]["count"]), *(f"{figures[gloss][k]:.2f}" for k in shares))
            for gloss in worst
            if figures[gloss]["f1"] < 1
        ]
        header = ("gloss", "signed", "precision", "recall", "F1")
        _table(console, header, rows, "glosses with the lowest F1")
        confused = [
            (signed or NOT_SIGNED, heard or MISSED, str(count))
            for (signed, heard), count in errors.pairs.most_common()
            if signed != heard
        ]
        _table(console, ("signed", "recognised", "count"), confused, "most frequent errors")


_SUMMARY = ("sequences", "WER", "S", "D", "I", "exact")


def _row(errors: GlossErrors) -> tuple[str, ...]:
    counts = (errors.substitutions, errors.deletions, errors.insertions)
    return (
        str(errors.sequences),
        f"{errors.wer:.3f}",
        *(str(count) for count in counts),
        f"{errors.accuracy:.3f}",
    )


def _range(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def _line(console: Console, text: str) -> None:
    console.print(Text(text), soft_wrap=True)


def _table(
    console: Console, header: Sequence[str], rows: Iterable[Sequence[str]], title: str = ""
) -> None:
    """Print the first rows, with aligned columns; print nothing without rows."""
    lines = list(rows)
    if not lines:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, name in enumerate(header):
        text = index == 0 or name == "recognised"
        table.add_column(name, justify="left" if text else "right", overflow="fold")
    for line in lines[:ROWS]:
        table.add_row(*(Text(cell) for cell in line))
    console.print()
    if title:
        left_out = f" ({ROWS} of {len(lines)}; --json has all)" if len(lines) > ROWS else ""
        _line(console, f"{title}{left_out}:")
    console.print(table)
