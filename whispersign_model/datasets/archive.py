# SPDX-License-Identifier: MIT
"""Read recording archives: ``.npz`` files that hold many recordings."""

import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whispersign_model.arrays import Ints
from whispersign_model.datasets.units import UnitFault, position_fault, time_fault
from whispersign_model.errors import ArchiveError
from whispersign_model.files import damage_told, parse_json
from whispersign_model.npy import NpzFile
from whispersign_model.recordings.atomic import safe_name
from whispersign_model.recordings.recording import Coordinates, Recording, Segment, tracked_frames
from whispersign_model.recordings.spelling import normalized
from whispersign_model.skeleton import JOINTS
from whispersign_model.timestamps import NANOSECONDS

KEYS = ("xyz", "t", "ptr", "lab", "lptr", "classes", "subject", "split", "sid", "seg", "meta")
NAMES = ("classes", "subject", "split", "sid", "meta")  # keys of text
SPARE = 1000  # sequences or labels that an archive may have beyond what its frames suggest
FRAMES_EACH = 4  # frames of a sequence, on average, at the least
LABEL = "lab"  # the label array that `classes` gives names for
IMAGE_UNITS = "units of image height"  # text in `meta` that marks positions as not in meters


class _Labels(NamedTuple):
    """Gloss sequences: sequence ``i`` has the glosses ``names[values[ptr[i]:ptr[i + 1]]]``."""

    values: Ints
    ptr: Ints
    names: dict[int, str]

    def of(self, sequence: int) -> tuple[str, ...]:
        span = self.values[self.ptr[sequence] : self.ptr[sequence + 1]]
        return tuple(self.names[value] for value in span.tolist())


def read_archive(path: Path | str, label: str = LABEL) -> list[Recording]:
    """Read all recordings of an archive in order; their names are ``INDEX_SID``.

    NaN in ``xyz`` marks an absent joint. An infinite coordinate also marks one, and is counted.
    Times are converted to nanoseconds but not repaired, even if they repeat or jump. Times that
    cannot be seconds and positions that cannot be meters or image heights are refused. Each row of
    ``seg`` becomes a segment with one gloss. If a sequence has a different number of rows than of
    labels, a single segment spans the sequence and holds all its labels. Positions are in meters in
    the sensor frame, unless ``meta`` has the key ``coordinates`` (a name of ``Coordinates``) or
    mentions "units of image height".

    Args:
        path: the ``.npz`` file.
        label: name of the label array, ``lab`` or a similar one. The names for another array are in
            ``classes`` plus its suffix (``classes28`` for ``label28``). If the archive lacks these,
            but the array divides each class of ``lab`` evenly, the names are numbered classes
            ("Grab 1", "Grab 2"). Otherwise, the names are plain numbers.

    Raises:
        ArchiveError: the archive is invalid; the message names the file and the key.
    """
    path = Path(path)
    with damage_told(path, ArchiveError, _FORMAT):
        return _read(path, label)


def _read(path: Path, label: str) -> list[Recording]:
    arrays = _load(path, label)
    _check_frames(path, arrays)
    labels = _labels(path, arrays, label)
    meta = _meta(path, arrays)
    spans = _spans(path, arrays)
    ptr, stamps = arrays["ptr"], _stamps(path, arrays)
    if fault := position_fault(arrays["xyz"]):
        raise _unit_error(path, "xyz", fault)
    width = len(str(len(ptr) - 2))
    recordings = []
    for index, (start, end) in enumerate(zip(ptr[:-1].tolist(), ptr[1:].tolist())):
        positions, confidence, _ = tracked_frames(arrays["xyz"][start:end])
        recordings.append(
            Recording(
                stamps=stamps[start:end],
                positions=positions,
                confidence=confidence,
                segments=_segments(labels.of(index), stamps[start:end], spans.get(index, [])),
                name=safe_name(f"{index:0{width}d}_{arrays['sid'][index]}"),
                signer=normalized(str(arrays["subject"][index])),
                source=path.stem,
                split=str(arrays["split"][index]),
                coordinates=_coordinates(path, meta),
                untrackable=int(np.isinf(arrays["xyz"][start:end]).any(axis=-1).sum()),
                meta=meta,
            )
        )
    return recordings


def _load(path: Path, label: str) -> dict[str, NDArray[Any]]:
    """Read the arrays; never load pickled content."""
    if not path.is_file():
        raise ArchiveError(path, "is not a file" if path.exists() else "does not exist")
    if not zipfile.is_zipfile(path):
        raise ArchiveError(path, "is truncated or not an .npz archive", _FORMAT)
    with zipfile.ZipFile(path) as archive:
        held = NpzFile(archive)
        missing = [key for key in dict.fromkeys((*KEYS, label)) if key not in held.names]
        if missing:
            names = ", ".join(sorted(held.names))
            raise ArchiveError(path, f"key '{missing[0]}' is missing", f"it holds {names}")
        extra = [name for name in (_class_key(label),) if name in held.names]
        return {
            key: _text(path, key, held.read(key)) for key in dict.fromkeys((*KEYS, label, *extra))
        }


def _text(path: Path, key: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return an array with bytes decoded, after checking that names are text or numbers."""
    dimensions = 0 if key == "meta" else 1
    if key.startswith(NAMES) and (array.ndim != dimensions or array.dtype.kind not in "USiu"):
        fault = f"key '{key}' is {array.dtype} {array.shape}, not text"
        raise ArchiveError(path, fault, _FORMAT)
    return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array


_FORMAT = "docs/reference/data-formats.md describes the format"


def _class_key(label: str) -> str:
    """Return ``classes28`` for ``label28`` and ``classes`` for ``lab``."""
    return "classes" + label.removeprefix("label").removeprefix("lab")


def _check_frames(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    frames = len(arrays["xyz"]) if arrays["xyz"].ndim else 0
    _require_pointers(path, arrays, "ptr", frames, "frames")
    sequences = len(arrays["ptr"]) - 1
    _check_counts(path, arrays, sequences, frames)
    shapes = {
        "xyz": (frames, JOINTS, 3),
        "t": (frames,),
        "subject": (sequences,),
        "split": (sequences,),
        "sid": (sequences,),
        "lptr": (sequences + 1,),
    }
    for key, shape in shapes.items():
        if arrays[key].shape != shape:
            raise ArchiveError(path, f"key '{key}' is {arrays[key].shape}, not {shape}", _FORMAT)
    if np.issubdtype(arrays["t"].dtype, np.integer) and (
        fault := time_fault(arrays["t"], arrays["ptr"])
    ):
        raise _unit_error(path, "t", fault)
    for key in ("xyz", "t"):
        if not np.issubdtype(arrays[key].dtype, np.floating):
            raise ArchiveError(path, f"key '{key}' is {arrays[key].dtype}, not float", _FORMAT)


def _unit_error(path: Path, key: str, fault: UnitFault) -> ArchiveError:
    return ArchiveError(path, f"key '{key}' {fault.fault}", fault.remedy)


def _check_counts(path: Path, arrays: dict[str, NDArray[Any]], sequences: int, frames: int) -> None:
    """Reject a small file that would take minutes: countless sequences or labels without frames."""
    if sequences > SPARE + frames // FRAMES_EACH:
        raise ArchiveError(path, f"has {sequences} sequences but only {frames} frames", _FORMAT)
    for key in (LABEL, "seg", "classes"):
        if arrays[key].ndim and len(arrays[key]) > SPARE + frames:
            fault = f"key '{key}' has {len(arrays[key])} rows, but there are {frames} frames"
            raise ArchiveError(path, fault, _FORMAT)


def _require_pointers(
    path: Path, arrays: dict[str, NDArray[Any]], key: str, total: int, what: str
) -> None:
    """Reject a pointer array that does not rise from 0 to ``total``."""
    pointers = arrays[key]
    if pointers.ndim != 1 or not len(pointers) or not np.issubdtype(pointers.dtype, np.integer):
        raise ArchiveError(path, f"key '{key}' is not an array of N + 1 integers", _FORMAT)
    falls = np.flatnonzero(np.diff(pointers.astype(np.int64)) < 0)
    if len(falls):
        raise ArchiveError(path, f"key '{key}' falls at sequence {falls[0]}", _FORMAT)
    if pointers[0] != 0 or pointers[-1] != total:
        span = f"{pointers[0]} to {pointers[-1]}"
        raise ArchiveError(path, f"key '{key}' goes from {span}, not 0 to {total} {what}", _FORMAT)


def _stamps(path: Path, arrays: dict[str, NDArray[Any]]) -> Ints:
    seconds = arrays["t"].astype(np.float64)
    if np.isfinite(seconds).all() and (fault := time_fault(arrays["t"], arrays["ptr"])):
        raise _unit_error(path, "t", fault)
    faults = np.flatnonzero(~(np.abs(seconds) < 2**31))  # False for NaN, too
    if len(faults):
        sequence = int(np.searchsorted(arrays["ptr"], faults[0], side="right")) - 1
        value = seconds[faults[0]]
        raise ArchiveError(path, f"key 't' is {value} in sequence {sequence}", "repair the times")
    return np.round(seconds * NANOSECONDS).astype(np.int64)


def _labels(path: Path, arrays: dict[str, NDArray[Any]], label: str) -> _Labels:
    """Check a label array and return its values with their names."""
    main, ptr = arrays[LABEL], arrays["lptr"].astype(np.int64)
    for key in (LABEL, label):
        if arrays[key].ndim != 1 or not np.issubdtype(arrays[key].dtype, np.integer):
            raise ArchiveError(path, f"key '{key}' is not an array of integers", _FORMAT)
    _require_pointers(path, arrays, "lptr", len(main), f"labels of '{LABEL}'")
    values = arrays[label].astype(np.int64)
    if len(values) == len(ptr) - 1 != len(main):
        ptr = np.arange(len(ptr), dtype=np.int64)  # the array holds one label per sequence
    elif len(values) != len(main):
        raise ArchiveError(
            path, f"key '{label}' has {len(values)} labels, not {len(main)}", _FORMAT
        )
    key = LABEL if label == LABEL else label
    classes = arrays.get("classes" if label == LABEL else _class_key(label))
    count = 2**31 if classes is None else len(classes)
    outside = np.flatnonzero((values < 0) | (values >= count))
    if len(outside):
        sequence = int(np.searchsorted(ptr, outside[0], side="right")) - 1
        value = values[outside[0]]
        raise ArchiveError(
            path, f"key '{key}' is {value} in sequence {sequence}", f"it must be in 0..{count - 1}"
        )
    if classes is not None:
        names = {value: normalized(str(name)) for value, name in enumerate(classes.tolist())}
    else:
        names = _split_names(values, main.astype(np.int64), arrays["classes"])
    return _Labels(values, ptr, names)


def _split_names(values: Ints, main: Ints, classes: NDArray[Any]) -> dict[int, str]:
    """Name labels that divide each class of ``main`` evenly: "Grab 1", "Grab 2", ..."""
    found = np.unique(values).tolist()
    parts = -(-(max(found, default=0) + 1) // max(len(classes), 1))
    if len(values) == len(main) and np.array_equal(values // parts, main):
        names = [normalized(str(name)) for name in classes.tolist()]
        return {value: f"{names[value // parts]} {value % parts + 1}" for value in found}
    return {value: str(value) for value in found}


def _spans(path: Path, arrays: dict[str, NDArray[Any]]) -> dict[int, list[tuple[int, int]]]:
    """Return the (first, last) frames in each sequence's rows of ``seg``, one row per label.

    A sequence with a different number of rows than of labels is left out. A last frame beyond the
    end of the sequence is clipped, because manual annotations overrun by a frame or two.
    """
    seg, lengths = arrays["seg"], np.diff(arrays["ptr"]).tolist()
    if seg.ndim != 2 or seg.shape[1] != 4 or not np.issubdtype(seg.dtype, np.integer):
        raise ArchiveError(
            path, f"key 'seg' is {seg.dtype} {seg.shape}, not (M, 4) integers", _FORMAT
        )
    rows: dict[int, list[list[int]]] = {}
    for number, (sequence, *row) in enumerate(seg.tolist()):
        if not 0 <= sequence < len(lengths):
            raise ArchiveError(path, f"key 'seg' row {number} names sequence {sequence}", _FORMAT)
        if not 0 <= row[1] <= row[2] or row[1] >= max(lengths[sequence], 1):
            fault = f"key 'seg' row {number} spans frames {row[1]} to {row[2]}"
            raise ArchiveError(path, fault, f"sequence {sequence} has {lengths[sequence]}")
        rows.setdefault(sequence, []).append(row)
    spans = {}
    for sequence, found in rows.items():
        labels = arrays[LABEL][arrays["lptr"][sequence] : arrays["lptr"][sequence + 1]].tolist()
        if len(found) == len(labels):
            if [row[0] for row in found] != labels:
                fault = f"keys 'seg' and '{LABEL}' disagree in sequence {sequence}"
                raise ArchiveError(path, fault, "order the rows of 'seg' by time, as the labels")
            end = lengths[sequence] - 1
            spans[sequence] = [(first, min(last, end)) for _, first, last in found]
    return spans


def _segments(
    glosses: tuple[str, ...], stamps: Ints, spans: list[tuple[int, int]]
) -> tuple[Segment, ...]:
    if not glosses:
        return ()
    if not len(stamps):
        return (Segment(glosses, 0, 0),)
    if len(spans) != len(glosses):
        return (Segment(glosses, int(stamps.min()), int(stamps.max())),)
    return tuple(
        Segment((gloss,), int(stamps[first]), int(stamps[last]))
        for gloss, (first, last) in zip(glosses, spans)
    )


def _meta(path: Path, arrays: dict[str, NDArray[Any]]) -> dict[str, str]:
    """Return the archive's metadata; values that are not text are stored as JSON."""
    try:
        content = parse_json(str(arrays["meta"]) or "{}")
    except ValueError as error:
        raise ArchiveError(path, f"key 'meta' is not JSON ({error})", _FORMAT) from error
    if not isinstance(content, dict):
        raise ArchiveError(path, "key 'meta' is not a JSON object", _FORMAT)
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in content.items()}


def _coordinates(path: Path, meta: dict[str, str]) -> Coordinates:
    stated = meta.get("coordinates", "")
    if stated:
        try:
            return Coordinates[stated.upper()]
        except KeyError as error:
            names = ", ".join(kind.name for kind in Coordinates)
            fault = f"key 'meta' gives coordinates '{stated}'"
            raise ArchiveError(path, fault, f"use one of {names}") from error
    if any(IMAGE_UNITS in text for text in meta.values()):
        return Coordinates.IMAGE_NORMALISED
    return Coordinates.METRIC_SENSOR
