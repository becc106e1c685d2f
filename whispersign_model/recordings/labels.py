# SPDX-License-Identifier: MIT
"""Labels: resolve annotations into segments, and read and write label tables (CSV)."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import NamedTuple

from whispersign_model.errors import LabelError
from whispersign_model.files import read_text
from whispersign_model.recordings.atomic import bag_name, replace_file
from whispersign_model.recordings.recording import Recording, Segment
from whispersign_model.recordings.spelling import normalized
from whispersign_model.timestamps import NANOSECONDS

FOLDER_TABLE = "labels.csv"  # table for all bags in the same folder
COLUMNS = ("recording", "glosses", "start", "end", "signer", "split", "status")
KEEP, DISCARD = "keep", "discard"  # value in the column `status`
BETWEEN = "|"  # separator between the glosses of a sentence
DELIMITERS = ",;\t"
OVERRUN = 1.0  # seconds by which a row may exceed its recording before clipping
_FORMAT = "docs/reference/data-formats.md describes the columns"


class Annotation(NamedTuple):
    """An annotation of a time span: the glosses signed in it, or a discarded take."""

    start: int  # nanoseconds
    end: int
    glosses: tuple[str, ...]
    discard: bool = False


def resolve_annotations(
    annotations: Iterable[Annotation],
) -> tuple[tuple[Segment, ...], tuple[tuple[int, int], ...]]:
    """Convert annotations, in order of creation, to segments.

    The last annotation of a span wins. A discarded span also removes every annotation whose
    midpoint it covers.

    Returns:
        the segments and the discarded ``(start, end)`` spans, each sorted by start.
    """
    kept: dict[tuple[int, int], Segment] = {}
    discarded: set[tuple[int, int]] = set()
    for start, end, glosses, discard in annotations:
        if discard:
            kept = {
                span: segment
                for span, segment in kept.items()
                if not start <= (span[0] + span[1]) // 2 <= end
            }
            discarded.add((start, end))
        else:
            kept[start, end] = Segment(glosses, start, end)
            discarded.discard((start, end))
    segments = sorted(kept.values(), key=lambda segment: (segment.start, segment.end))
    return tuple(segments), tuple(sorted(discarded))


class LabelRow(NamedTuple):
    """One row of a table.

    Times are in seconds from the first frame; None means the whole recording.
    """

    where: str  # FILE:LINE
    recording: str
    glosses: tuple[str, ...]
    span: tuple[float, float] | None
    signer: str
    split: str
    discard: bool


def read_table(path: Path) -> list[LabelRow]:
    """Read a label table: CSV with a header, separated by comma, semicolon or tab.

    Raises:
        LabelError: the table is invalid; the message names the file, the line and the fault.
    """
    try:
        text = read_text(path, LabelError).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise LabelError(f"{path}:{line}", "is not UTF-8", "save it as UTF-8") from error
    lines = text.splitlines()
    header = lines[0] if lines else ""
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    rows = []
    try:
        columns = _columns(path, next(reader, []))
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            where = f"{path}:{reader.line_num}"
            if len(cells) != len(columns):
                fault = f"has {len(cells)} cells where the header has {len(columns)}"
                raise LabelError(where, fault, "put a cell that holds a separator in quotes")
            decimal = "." if delimiter == "," else ","
            row = {name: cell.strip() for name, cell in zip(columns, cells)}
            rows.append(_row(where, row, decimal))
    except csv.Error as error:
        raise LabelError(f"{path}:{reader.line_num}", f"is not CSV ({error})") from error
    return rows


def write_table(path: Path, recordings: Iterable[Recording]) -> None:
    """Write the labels of recordings to a table.

    Raises:
        OSError: the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("recording", "glosses", "start", "end", "signer"))
    for recording in recordings:
        for segment in recording.segments:
            times = (
                f"{max(0, stamp - int(recording.stamps[0])) / NANOSECONDS:.3f}"
                for stamp in (segment.start, segment.end)
            )
            glosses = BETWEEN.join(segment.glosses)
            writer.writerow((recording.name, glosses, *times, recording.signer))
    replace_file(path, text.getvalue().encode())


def _columns(path: Path, header: Sequence[str]) -> list[str]:
    columns = [name.strip().lower() for name in header]
    where = f"{path}:1"
    for name in columns:
        if name not in COLUMNS:
            raise LabelError(
                where, f"has a column '{name}'", f"the columns are {', '.join(COLUMNS)}"
            )
        if columns.count(name) > 1:
            raise LabelError(where, f"has column '{name}' twice", _FORMAT)
    if "glosses" not in columns:
        raise LabelError(where, "has no column 'glosses'", _FORMAT)
    return columns


def _row(where: str, row: dict[str, str], decimal: str) -> LabelRow:
    text = row["glosses"]
    glosses = tuple(normalized(gloss) for gloss in text.split(BETWEEN)) if text else ()
    if not all(glosses):
        raise LabelError(where, f"glosses are '{text}'", "a gloss between two | needs a name")
    status = row.get("status", "").lower() or KEEP
    if status not in (KEEP, DISCARD):
        raise LabelError(where, f"status is '{status}'", f"use {KEEP} or {DISCARD}")
    return LabelRow(
        where=where,
        recording=row.get("recording", ""),
        glosses=glosses,
        span=_span(where, row.get("start", ""), row.get("end", ""), decimal),
        signer=normalized(row.get("signer", "")),
        split=row.get("split", ""),
        discard=status == DISCARD,
    )


def _span(where: str, start: str, end: str, decimal: str) -> tuple[float, float] | None:
    if not start and not end:
        return None
    values = []
    for name, text in (("start", start), ("end", end)):
        try:
            values.append(float(text.replace(decimal, ".")))
        except ValueError:
            fault = f"{name} is '{text}', not a number of seconds"
            raise LabelError(where, fault, "leave both times empty for all of it") from None
        if not 0 <= values[-1] < float("inf"):
            raise LabelError(where, f"{name} is {text}", "count from the recording's first frame")
    if values[1] == values[0]:
        fault = f"starts and ends at {end} s"
        raise LabelError(where, fault, "leave both times empty for the whole recording")
    if values[1] < values[0]:
        raise LabelError(where, f"ends at {end} s, but starts at {start} s", "swap them")
    return values[0], values[1]


def find_labels(
    bags: Sequence[Path], table: Path | None
) -> tuple[dict[Path, list[LabelRow]], list[str]]:
    """Find the label tables of bags: the given one, ``BAG.csv`` beside a bag, or the folder's.

    For each bag, only the first of these that names it applies.

    Args:
        bags: the bags to label.
        table: a table for all of them, or None.

    Returns:
        the rows for each bag that a table names, and warnings about rows that match no bag.

    Raises:
        LabelError: a table is invalid, or a name matches several bags.
    """
    found: dict[Path, list[LabelRow]] = {}
    warnings: list[str] = []
    shared: dict[Path, list[Path]] = {} if table is None else {table: list(bags)}
    for bag in bags:
        own = bag.parent / f"{bag_name(bag)}.csv"
        if own.exists() and own.name != FOLDER_TABLE:
            found[bag] = read_table(own)
            for row in found[bag]:
                if row.recording and not _fits(row.recording, bag):
                    raise LabelError(row.where, f"names '{row.recording}', not {bag.name}")
        beside = bag.parent / FOLDER_TABLE
        if beside.exists() and (table is None or beside.resolve() != table.resolve()):
            shared.setdefault(beside, []).append(bag)
    for path, among in shared.items():
        named, strangers = _distribute(read_table(path), among)
        found = found | named if path == table else named | found
        if strangers:
            names = ", ".join(strangers)[:120]
            warnings.append(f"{path} names {len(strangers)} recordings not converted ({names})")
    return {bag: rows for bag, rows in found.items() if rows}, warnings


def _distribute(
    rows: Sequence[LabelRow], bags: Sequence[Path]
) -> tuple[dict[Path, list[LabelRow]], list[str]]:
    """Assign each row to the bag that it names; also return the names that match no bag."""
    named: dict[Path, list[LabelRow]] = {}
    owners: dict[str, Path | None] = {}
    for row in rows:
        if not row.recording:
            raise LabelError(row.where, "names no recording", "fill column 'recording'")
        if row.recording not in owners:
            fitting = [bag for bag in bags if _fits(row.recording, bag)]
            if len(fitting) > 1:
                fault = f"'{row.recording}' fits {fitting[0]} and {fitting[1]}"
                raise LabelError(row.where, fault, "write a longer part of the path")
            owners[row.recording] = fitting[0] if fitting else None
        owner = owners[row.recording]
        if owner is not None:
            named.setdefault(owner, []).append(row)
    return named, [name for name, owner in owners.items() if owner is None]


def _fits(name: str, bag: Path) -> bool:
    """Return whether a name or partial path matches a bag, with or without suffix."""
    wanted, path = PurePath(normalized(name)).parts, bag.resolve()
    folders = tuple(map(normalized, path.parent.parts))
    ends = ((*folders, normalized(own)) for own in (path.name, bag_name(bag)))
    return any(parts[-len(wanted) :] == wanted for parts in ends)


def labelled(recording: Recording, rows: Sequence[LabelRow]) -> Recording:
    """Return a recording with its labels replaced by those of its rows.

    Raises:
        LabelError: a row repeats or exceeds times, or names a second signer; the message names its
            line.
    """
    if not len(recording):
        return recording
    segments, discarded = resolve_annotations(_annotations(recording, rows))
    return replace(
        recording,
        segments=segments,
        discarded=discarded,
        signer=_one(rows, "signer") or recording.signer,
        split=_one(rows, "split") or recording.split,
    )


def _annotations(recording: Recording, rows: Sequence[LabelRow]) -> Iterator[Annotation]:
    first, last = int(recording.stamps.min()), int(recording.stamps.max())
    seconds = (last - first) / NANOSECONDS
    lines: dict[tuple[float, float] | None, str] = {}
    for row in rows:
        line = row.where.rpartition(":")[2]
        if lines.setdefault(row.span, line) != line:
            fault = f"has the times of line {lines[row.span]}"
            raise LabelError(row.where, fault, "write the glosses of one sentence as A|B")
        start, end = row.span or (0.0, seconds)
        if start > seconds or end > seconds + OVERRUN:
            fault = f"ends at {end:g} s, but {recording.name} lasts {seconds:.2f} s"
            raise LabelError(row.where, fault + _unit(recording, rows), _COUNTED)
        yield Annotation(
            first + round(start * NANOSECONDS),
            min(first + round(end * NANOSECONDS), last),
            row.glosses,
            row.discard,
        )


_COUNTED = "count seconds from the first frame"


def _unit(recording: Recording, rows: Sequence[LabelRow]) -> str:
    """Return the unit in which times seem to be that exceed their recording, or ""."""
    times = [time for row in rows for time in row.span or ()]
    latest, longest = max(times), recording.duration + OVERRUN
    first, last = (int(each) / NANOSECONDS for each in recording.stamps[[0, -1]])
    if first - OVERRUN <= min(times) and latest <= last + OVERRUN:
        return ": the times seem to be stamps"
    if latest <= len(recording) + 1 and all(time == int(time) for time in times):
        return ": the times seem to be frame numbers"
    units = {"milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
    for unit, factor in units.items():
        if latest / factor <= longest:
            return f": the times seem to be in {unit}"
    return ""


def _one(rows: Sequence[LabelRow], column: str) -> str:
    """Return the only value in a column of a recording's rows."""
    value = ""
    for row in rows:
        word = str(getattr(row, column))
        if word and value and word != value:
            raise LabelError(row.where, f"{column} is '{word}', above it is '{value}'")
        value = value or word
    return value
