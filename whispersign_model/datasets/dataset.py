# SPDX-License-Identifier: MIT
"""The processed dataset: resampled features and gloss ids on disk, ready for training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from whispersign_model.arrays import AnyFloats, Bools, Floats, Ints
from whispersign_model.configuration import Glosses, Name, StrictModel, describe
from whispersign_model.datasets.splits import SPLITS, shared_signers, similar_glosses
from whispersign_model.errors import DatasetError, RecipeError
from whispersign_model.features.recipe import Recipe
from whispersign_model.files import read_json, require_file
from whispersign_model.npy import load_npy
from whispersign_model.recordings.recording import Segment
from whispersign_model.skeleton import FEATURES, JOINTS
from whispersign_model.timestamps import NANOSECONDS

FORMAT = 1  # version of the manifest
MANIFEST, VOCABULARY = "manifest.json", "vocabulary.json"
MOST_GLOSSES = 99_999  # of a dataset without a vocabulary; also the largest network's
LARGEST = 1e9  # meters or m/s; larger values overflow when squared
BLOCK = 4096  # number of frames checked for NaN at a time


class VocabularyFile(StrictModel):
    """Content of ``vocabulary.json``: ``glosses[i]`` has id ``i + 1``; id 0 is the CTC blank."""

    glosses: Glosses
    language: str = ""


Seconds = Annotated[float, Field(ge=-1e9, le=1e9)]


class SegmentEntry(StrictModel):
    """A gloss with its time span in seconds from the first frame; glosses can share a span."""

    gloss: Name
    start: Seconds
    end: Seconds


class RecordingEntry(StrictModel):
    """One example in the manifest."""

    name: str
    split: str
    signer: Name = ""
    source: Name = ""
    frames: int = Field(ge=1)
    seconds: float = 0
    frame_rate: float = Field(default=0, description="as recorded, the median; 0 = unknown")
    tracked: float = Field(default=0, description="share of frames with a hand")
    restarts: list[int] = Field(default=[0], description="frames at which a stream begins")
    segments: list[SegmentEntry] = Field(default=[])


class ManifestFile(StrictModel):
    """Content of ``manifest.json``: the recipe, and all examples with signers and segments."""

    format: int
    recipe: dict[str, Any]
    recordings: list[RecordingEntry]


@dataclass(frozen=True)
class Example:
    """One recording of a split.

    Attributes:
        name: name of the example's files, without suffix.
        signer, source: signer and source of the recording; "" if unknown.
        features_path: path to the ``(T, 42, 7)`` float32 array.
        frames: number of frames, T.
        labels: ``(L,)`` int64 gloss ids, starting at 1; empty if nothing is signed.
        segments: glosses with times in nanoseconds from the first frame; empty if unknown.
        restarts: frames that begin a stream: the first frame, and each frame after a clock jump.
    """

    name: str
    signer: str
    source: str
    features_path: Path
    frames: int
    labels: Ints
    segments: tuple[Segment, ...] = ()
    restarts: tuple[int, ...] = (0,)

    def features(self) -> Floats:
        """Return the features ``(T, 42, 7)`` in meters and m/s, memory-mapped and read-only.

        Raises:
            DatasetError: since the dataset was opened, the file has become unreadable or changed
                length.
        """
        features = _map_features(self.features_path)
        if len(features) != self.frames:
            fault = f"has {len(features)} frames, not {self.frames} as when it was opened"
            raise DatasetError(
                self.features_path, fault, "do not change a dataset while it is being read"
            )
        return features.astype(np.float32, copy=False)

    def restart_mask(self) -> Bools:
        """Return a mask ``(T,)`` for ``Normaliser``: True where a stream begins."""
        mask = np.zeros(self.frames, dtype=bool)
        mask[list(self.restarts)] = True
        return mask


@dataclass(frozen=True)
class Dataset:
    """A processed dataset; opening it checks every file.

    Attributes:
        path: the dataset's folder.
        glosses: ``glosses[i]`` has id ``i + 1``.
        language: BCP 47 tag of the sign language; "" if unknown.
        recipe: the feature recipe, with scaling not yet fitted.
    """

    path: Path
    glosses: tuple[str, ...]
    language: str
    recipe: Recipe
    splits: dict[str, tuple[Example, ...]]

    @classmethod
    def open(cls, path: Path | str) -> Dataset:
        """Open a dataset and check every file in it.

        A dataset needs only ``features/*.npy`` and ``labels/*.npy``. Without a vocabulary, the
        glosses are "1", "2", and so on. Without a manifest, the recipe is the default one.

        Raises:
            DatasetError: a file is missing, lacks its counterpart, is truncated, has a wrong shape,
                contains NaN, or has a label outside the vocabulary. The message names the first
                such file.
        """
        path = Path(path)
        if not path.is_dir():
            raise DatasetError(path, "is not a folder" if path.exists() else "does not exist")
        present = [split for split in SPLITS if (path / split).is_dir()]
        if not present:
            raise DatasetError(
                path, f"has none of the folders {', '.join(SPLITS)}", "make it with `convert`"
            )
        manifest = _read_json(path / MANIFEST, ManifestFile)
        vocabulary = _read_json(path / VOCABULARY, VocabularyFile)
        if manifest is not None and manifest.format != FORMAT:
            raise DatasetError(
                path / MANIFEST, f"is of format {manifest.format}, not {FORMAT}", "convert again"
            )
        entries = _entries(path, manifest)
        splits = {
            split: tuple(_examples(path / split, entries.get(split), vocabulary))
            for split in present
        }
        return cls(
            path=path,
            glosses=_glosses(vocabulary, splits),
            language=vocabulary.language if vocabulary else "",
            recipe=_recipe(path, manifest),
            splits=splits,
        )

    def warnings(self) -> list[str]:
        """Return warnings about signers in several splits and about similar glosses."""
        signers = ((split, each.signer) for split, own in self.splits.items() for each in own)
        return shared_signers(signers) + similar_glosses(self.glosses)

    def split(self, name: str) -> list[Example]:
        """Return the examples of a split, in order of their names.

        Raises:
            DatasetError: the split does not exist or is empty.
        """
        examples = self.splits.get(name, ())
        if not examples:
            held = ", ".join(split for split, found in self.splits.items() if found)
            raise DatasetError(self.path / name, "holds no examples", f"the dataset has {held}")
        return list(examples)


def _read_json(path: Path, model: type[Any]) -> Any:
    """Read and validate a JSON file; return None if it is missing."""
    if not path.exists():
        return None
    content = read_json(path, DatasetError, "convert it again")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise DatasetError(path, describe(error)) from error


def _recipe(path: Path, manifest: ManifestFile | None) -> Recipe:
    if manifest is None:
        return Recipe()
    try:
        return Recipe.from_json(json.dumps(manifest.recipe), str(path / MANIFEST))
    except RecipeError as error:
        raise DatasetError(error.subject, error.fault, error.remedy) from error


def _entries(path: Path, manifest: ManifestFile | None) -> dict[str, dict[str, RecordingEntry]]:
    """Return the manifest's entries by split and name, or {} without a manifest."""
    entries: dict[str, dict[str, RecordingEntry]] = {}
    if manifest is None:
        return entries
    for split in SPLITS:
        entries[split] = {}
    for entry in manifest.recordings:
        if entry.split not in SPLITS:
            fault = f"recording {entry.name} is in split '{entry.split}'"
            raise DatasetError(path / MANIFEST, fault, f"the splits are {', '.join(SPLITS)}")
        if entry.name in entries[entry.split]:
            raise DatasetError(path / MANIFEST, f"names {entry.split}/{entry.name} twice")
        if not (path / entry.split).is_dir():
            raise DatasetError(path / entry.split, f"is missing, but {MANIFEST} has it")
        entries[entry.split][entry.name] = entry
    return entries


def _examples(
    folder: Path, entries: dict[str, RecordingEntry] | None, vocabulary: VocabularyFile | None
) -> Iterator[Example]:
    """Check each pair of files in a split and yield the examples in order of their names."""
    for part in ("features", "labels"):
        if not (folder / part).is_dir():
            raise DatasetError(folder / part, "is missing", "every split has features and labels")
    features = {file.stem: file for file in (folder / "features").glob("*.npy")}
    labels = {file.stem: file for file in (folder / "labels").glob("*.npy")}
    for name in sorted(features.keys() ^ labels.keys()):
        missing, own = ("labels", features) if name in features else ("features", labels)
        raise DatasetError(own[name], f"has no partner {missing}/{name}.npy")
    if entries is not None:
        for name in sorted(entries.keys() ^ features.keys()):
            where = folder / "features" / f"{name}.npy"
            fault = f"is missing, but {MANIFEST} has it"
            raise DatasetError(where, fault if name in entries else f"is not in {MANIFEST}")
    for name in sorted(features):
        entry = entries[name] if entries is not None else None
        yield _example(features[name], labels[name], entry, vocabulary)


def _example(
    features_path: Path,
    labels_path: Path,
    entry: RecordingEntry | None,
    vocabulary: VocabularyFile | None,
) -> Example:
    features = _map_features(features_path)
    for first in range(0, len(features), BLOCK):
        block = features[first : first + BLOCK]
        if not np.isfinite(block).all():
            raise DatasetError(features_path, "holds NaN or infinity", "convert it again")
        if (largest := float(np.abs(block).max())) > LARGEST:
            raise DatasetError(features_path, f"holds the value {largest:g}", "convert it again")
    if entry is not None and entry.frames != len(features):
        raise DatasetError(
            features_path, f"has {len(features)} frames, {MANIFEST} says {entry.frames}"
        )
    labels = _load_labels(labels_path, len(vocabulary.glosses) if vocabulary else None)
    return Example(
        name=features_path.stem,
        signer=entry.signer if entry else "",
        source=entry.source if entry else "",
        features_path=features_path,
        frames=len(features),
        labels=labels,
        segments=tuple(
            Segment((part.gloss,), round(part.start * NANOSECONDS), round(part.end * NANOSECONDS))
            for part in (entry.segments if entry else ())
        ),
        restarts=_restarts(features_path, entry),
    )


def _restarts(features_path: Path, entry: RecordingEntry | None) -> tuple[int, ...]:
    if entry is None:
        return (0,)
    if not all(0 <= frame < entry.frames for frame in entry.restarts):
        raise DatasetError(features_path, f"{MANIFEST} has restarts beyond its frames")
    return tuple(entry.restarts)


def _map_features(path: Path) -> AnyFloats:
    features = _open_npy(path, mapped=True)
    if features.dtype.kind != "f" or features.shape[1:] != (JOINTS, FEATURES):
        raise DatasetError(
            path, f"is {features.dtype} {features.shape}, not float32 (T, {JOINTS}, {FEATURES})"
        )
    if not len(features):
        raise DatasetError(path, "has no frames", "remove it and its labels")
    return features


def _load_labels(path: Path, glosses: int | None) -> Ints:
    labels = _open_npy(path, mapped=False)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DatasetError(path, f"is {labels.dtype} {labels.shape}, not integers (L,)")
    most = MOST_GLOSSES if glosses is None else glosses
    outside = labels[(labels < 1) | (labels > most)]
    if len(outside):
        allowed = f"1 to {most}"
        raise DatasetError(path, f"label {outside[0]} is outside the vocabulary ({allowed})")
    return labels.astype(np.int64)


def _open_npy(path: Path, mapped: bool) -> NDArray[Any]:
    require_file(path, DatasetError)
    try:
        return load_npy(path, "r" if mapped else None)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(path, f"is empty, truncated or not an .npy file ({error})") from error


def _glosses(
    vocabulary: VocabularyFile | None, splits: dict[str, tuple[Example, ...]]
) -> tuple[str, ...]:
    if vocabulary is not None:
        return tuple(vocabulary.glosses)
    labels = (ex.labels.max(initial=0) for examples in splits.values() for ex in examples)
    return tuple(str(number) for number in range(1, int(max(labels, default=0)) + 1))
