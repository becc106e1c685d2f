# SPDX-License-Identifier: MIT
"""Convert recordings, one at a time, to a processed dataset and a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from whispersign_model.datasets.dataset import RecordingEntry
from whispersign_model.datasets.duplicates import Fingerprint, fingerprint, shared_recordings
from whispersign_model.datasets.report import ConversionReport, ReportedExample
from whispersign_model.datasets.selection import cut_segments, idle_parts, labelled_parts
from whispersign_model.datasets.short_clips import describe_short, find_short
from whispersign_model.datasets.splits import SplitItem, SplitPolicy, assign_splits
from whispersign_model.datasets.units import recording_fault
from whispersign_model.datasets.writer import DatasetWriter, check_target
from whispersign_model.errors import DatasetError, WhisperSignError
from whispersign_model.features.frame_rate import describe_slow, slow_rate
from whispersign_model.features.recipe import Recipe
from whispersign_model.recordings.atomic import whole_folder
from whispersign_model.recordings.recording import Coordinates, Recording


class Source(NamedTuple):
    """A recording that is read only when needed, with a name for messages."""

    name: str
    read: Callable[[], Recording]

    @classmethod
    def of(cls, recording: Recording) -> Source:
        """Wrap a recording that is already in memory."""
        return cls(recording.name, lambda: recording)


@dataclass(frozen=True)
class ConversionOptions:
    """Options for a conversion.

    Attributes:
        recipe: the feature recipe; its coordinates are set to those of the first recording.
        splits: how recordings are split.
        cut: seconds kept on either side of each segment, which becomes its own example; None keeps
            recordings whole.
        keep_unlabelled: also keep recordings without annotation and, with ``cut``, the parts
            between segments. They become examples in which nothing is signed.
        language: BCP 47 tag of the sign language.
        on_error: whether an unreadable recording stops the conversion or is skipped.
        replace: overwrite an existing dataset.
    """

    recipe: Recipe = field(default_factory=Recipe)
    splits: SplitPolicy = field(default_factory=SplitPolicy)
    cut: float | None = None
    keep_unlabelled: bool = False
    language: str = ""
    on_error: Literal["stop", "skip"] = "stop"
    replace: bool = False


class _Example(NamedTuple):
    number: int  # index of the recording among the sources
    origin: str
    entry: RecordingEntry


def convert(
    out: Path | str,
    sources: Iterable[Source],
    options: ConversionOptions,
    progress: Callable[[], None] = lambda: None,
    warnings: Sequence[str] = (),
) -> ConversionReport:
    """Write a dataset atomically, with one recording in memory at a time.

    Args:
        out: the dataset's folder.
        sources: the recordings, in the order in which the split policy counts them.
        options: see :class:`ConversionOptions`.
        progress: called after each source.
        warnings: additional warnings for the report.

    Raises:
        WhisperSignError: a recording cannot be read (with ``on_error`` "stop"), no example remains,
            or the dataset cannot be written. ``out`` stays unchanged.
    """
    report = ConversionReport(warnings=[*warnings])
    with whole_folder(
        check_target(out, options.replace), DatasetError, replace=options.replace
    ) as folder:
        collector = _Collector(folder, options, report)
        for number, source in enumerate(sources):
            try:
                collector.take(number, source)
            except WhisperSignError as error:
                if options.on_error == "stop":
                    raise
                report.left_out.append((error.subject, error.fault))
            progress()
        collector.finish()
        report.write(folder)
    return report


class _Collector:
    """Adds recordings to a dataset whose recipe follows the first recording's coordinates."""

    def __init__(self, folder: Path, options: ConversionOptions, report: ConversionReport) -> None:
        self._folder = folder
        self._options = options
        self._report = report
        self._writer: DatasetWriter | None = None
        self._items: dict[int, SplitItem] = {}
        self._prints: dict[int, Fingerprint] = {}
        self._examples: list[_Example] = []
        self._untrackable = 0
        self._rates: dict[str, float] = {}  # of the recordings that are too slow

    def take(self, number: int, source: Source) -> None:
        """Read a recording and add its examples."""
        recording = source.read()
        parts, reason = self._parts(recording)
        if reason:
            self._report.left_out.append((source.name, reason))
        for part in parts:
            writer = self._writer = self._writer or self._new_writer(recording)
            try:
                entry = writer.add(part)
            except DatasetError as error:  # it contains nothing to learn from
                self._report.left_out.append((part.name, error.fault))
                continue
            self._examples.append(_Example(number, source.name, entry))
            glosses = tuple(gloss for kept in parts for gloss in kept.glosses)
            self._items[number] = SplitItem(
                number, recording.name, recording.signer, recording.split, glosses
            )
        if number in self._items:
            self._prints[number] = fingerprint(source.name, recording)
            if rate := slow_rate(recording.stamps):
                self._rates[source.name] = rate
        self._untrackable += recording.untrackable

    def _new_writer(self, first: Recording) -> DatasetWriter:
        recipe = self._options.recipe
        if first.coordinates != Coordinates.UNKNOWN:
            recipe = recipe.changed(coordinates=first.coordinates.name.lower())
        return DatasetWriter(self._folder, recipe)

    def _parts(self, recording: Recording) -> tuple[list[Recording], str]:
        """Return the parts of a recording that become examples, or the reason why none do."""
        if not len(recording):
            return [], "it has no frame"
        if len(recording) > 2 and not recording.frame_rate:
            return [], "the stamps of its frames never rise"
        keep, cut = self._options.keep_unlabelled, self._options.cut
        if not recording.segments and (recording.discarded or not keep):
            return [], "discarded by its annotation" if recording.discarded else "no annotation"
        if fault := recording_fault(recording):
            return [], fault
        if not recording.segments:
            return [recording], ""
        parts = labelled_parts(recording) if cut is None else cut_segments(recording, cut)
        if keep and cut is not None:
            parts += idle_parts(recording, cut)
        parts = [part for part in parts if part.confidence.any()]
        return parts, "" if parts else "all its glosses were discarded"

    def finish(self) -> None:
        """Split the examples, close the dataset, and complete the report."""
        report, options = self._report, self._options
        if self._writer is None or not self._examples:
            raise DatasetError(
                "the recordings given",
                f"none of {len(report.left_out)} can be used",
                "; ".join(f"{name}: {reason}" for name, reason in report.left_out[:3]),
            )
        splits, warnings = assign_splits(options.splits, list(self._items.values()))
        split_of = dict(zip(self._items, splits))
        self._writer.finish([split_of[each.number] for each in self._examples], options.language)
        report.warnings += warnings + shared_recordings([*self._prints.values()], splits)
        if slow := describe_slow(self._rates):
            report.warnings.append(slow)
        self._report_short(split_of)
        report.coordinates = self._writer.recipe.coordinates
        report.examples += [
            ReportedExample(
                name=entry.name,
                split=split_of[number],
                signer=entry.signer,
                source=entry.source,
                origin=origin,
                seconds=entry.seconds,
                frame_rate=entry.frame_rate,
                tracked=entry.tracked,
                glosses=tuple(segment.gloss for segment in entry.segments),
            )
            for number, origin, entry in self._examples
        ]
        preprocessor = self._writer.preprocessor
        report.counts.update(
            {
                "joints without a finite position, treated as not tracked": self._untrackable,
                "frames out of order or repeated, dropped": preprocessor.out_of_order,
                "implausibly fast hands, treated as not tracked": preprocessor.implausible,
                "clock jumps, each of which started a new stream": preprocessor.jumps,
            }
        )

    def _report_short(self, split_of: dict[int, str]) -> None:
        """Warn of the examples that are too short for their glosses."""
        assert self._writer is not None
        for (number, _, entry), frames in zip(self._examples, self._writer.spans, strict=True):
            glosses = [segment.gloss for segment in entry.segments]
            short = find_short(f"{split_of[number]}/{entry.name}", frames, glosses)
            if short is not None:
                self._report.short.append(short)
        if short_clips := self._report.short:
            self._report.warnings.append(
                f"{len(short_clips)} examples are too short for their glosses, and `train` leaves "
                f"them out: {describe_short(short_clips)}"
            )
