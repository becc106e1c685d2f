# SPDX-License-Identifier: MIT
"""Write a processed dataset: resampled features, labels, vocabulary and manifest."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.format import write_array_header_1_0

from whispersign_model.arrays import Floats, Ints
from whispersign_model.datasets.dataset import (
    FORMAT,
    MANIFEST,
    VOCABULARY,
    ManifestFile,
    RecordingEntry,
    SegmentEntry,
    VocabularyFile,
)
from whispersign_model.datasets.splits import SPLITS
from whispersign_model.errors import DatasetError
from whispersign_model.features.frame_rate import slow_rate, slow_text
from whispersign_model.features.preprocessor import FeatureBlock, Preprocessor
from whispersign_model.features.recipe import Recipe
from whispersign_model.recordings.atomic import safe_name, unique_name
from whispersign_model.recordings.recording import Recording
from whispersign_model.skeleton import CONFIDENCE, FEATURES, JOINTS
from whispersign_model.timestamps import NANOSECONDS


def check_target(out: Path | str, replace: bool) -> Path:
    """Return ``out`` as a path if a dataset may be written there.

    Raises:
        DatasetError: ``out`` holds a dataset and ``replace`` is False, or ``out`` holds other
            files.
    """
    out = Path(out)
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        if not (out / MANIFEST).is_file():
            raise DatasetError(out, "exists and is not a dataset", "choose another folder")
        if not replace:
            raise DatasetError(out, "exists already", "choose another folder or give --force")
    return out


class DatasetWriter:
    """Writes a dataset into an empty folder: call ``add`` for each recording, then ``finish``.

    Attributes:
        recipe: the feature recipe; training later fits its scaling.
        preprocessor: object that applies the recipe and counts dropped data.
        spans: for each recording, the number of frames from its first tracked hand to its last.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.recipe = recipe
        self.preprocessor = Preprocessor(recipe)
        self.spans: list[int] = []
        self._folder = folder
        self._entries: list[RecordingEntry] = []
        self._glosses: list[tuple[str, ...]] = []
        self._names: set[str] = set()
        for split in SPLITS:
            for part in ("features", "labels"):
                (folder / split / part).mkdir(parents=True)

    def add(self, recording: Recording) -> RecordingEntry:
        """Resample a recording and write its features; labels are empty if it has no glosses.

        Raises:
            DatasetError: the recording has no tracked hand, or a gloss is empty.
            RecipeError: the recording's coordinates or smoothing differ from the recipe's.
        """
        name = recording.name or "recording"
        if not all(recording.glosses):
            raise DatasetError(name, "has an empty gloss")
        grid = _Grid(self.recipe.rate)
        beside = self._folder / "features.npy"
        try:
            write_frames(beside, map(grid.take, self.preprocessor.resample_blocks(recording)))
            if not grid.tracked:
                raise DatasetError(name, _why_untracked(recording))
            entry = self._entry(name, recording, grid)
            os.replace(beside, self._features(entry))
        finally:
            beside.unlink(missing_ok=True)
        self._entries.append(entry)
        self.spans.append(grid.last - grid.first + 1)
        self._glosses.append(recording.glosses)
        return entry

    def _entry(self, name: str, recording: Recording, grid: _Grid) -> RecordingEntry:
        return RecordingEntry(
            name=unique_name(safe_name(name), self._names),
            split=SPLITS[0],  # until finish() sets it
            signer=recording.signer,
            source=recording.source,
            frames=grid.frames,
            seconds=round(grid.frames / self.recipe.rate, 3),
            frame_rate=round(recording.frame_rate, 2),
            tracked=round(grid.tracked / grid.frames, 4),
            restarts=[stream.first for stream in grid.streams],
            segments=[
                SegmentEntry(
                    gloss=gloss, start=grid.seconds(segment.start), end=grid.seconds(segment.end)
                )
                for segment in recording.segments
                for gloss in segment.glosses
            ],
        )

    def finish(self, splits: Sequence[str], language: str = "") -> list[str]:
        """Move each recording into its split, and write the labels, vocabulary and manifest.

        Returns:
            the vocabulary: all glosses in alphabetical order.

        Raises:
            DatasetError: a split is not train, val or test.
        """
        vocabulary = sorted({gloss for glosses in self._glosses for gloss in glosses})
        ids = {gloss: number for number, gloss in enumerate(vocabulary, start=1)}
        for position, (entry, split) in enumerate(zip(self._entries, splits, strict=True)):
            if split not in SPLITS:
                raise DatasetError(entry.name, f"split '{split}' is none of {', '.join(SPLITS)}")
            self._entries[position] = placed = entry.model_copy(update={"split": split})
            os.replace(self._features(entry), self._features(placed))
            labels: Ints = np.array(
                [ids[gloss] for gloss in self._glosses[position]], dtype=np.int64
            )
            np.save(self._folder / split / "labels" / f"{entry.name}.npy", labels)
        manifest = ManifestFile(
            format=FORMAT,
            recipe=self.recipe.sensor_half().model_dump(mode="json"),
            recordings=self._entries,
        )
        _write(
            self._folder / VOCABULARY, VocabularyFile(glosses=tuple(vocabulary), language=language)
        )
        _write(self._folder / MANIFEST, manifest)
        return vocabulary

    def _features(self, entry: RecordingEntry) -> Path:
        return self._folder / entry.split / "features" / f"{entry.name}.npy"


def _why_untracked(recording: Recording) -> str:
    """Return why no resampled frame of a recording has a hand."""
    if not len(recording):
        return "has no frame"
    rate = slow_rate(recording.stamps) if recording.confidence.any() else 0.0
    return slow_text(rate) if rate else "no hand is tracked in any frame"


def _write(path: Path, content: VocabularyFile | ManifestFile) -> None:
    path.write_text(content.model_dump_json(indent=1) + "\n", encoding="utf-8")


class _Stream(NamedTuple):
    """A run of frames without a clock jump: its first index, first stamp and last stamp."""

    first: int
    start: int
    end: int


class _Grid:
    """Statistics of features that are already written and no longer in memory.

    Attributes:
        frames: number of frames so far.
        tracked: number of frames with a tracked hand.
        first, last: the first and the last of them.
        streams: the runs of frames between clock jumps.
    """

    def __init__(self, rate: float) -> None:
        self.frames = 0
        self.tracked = 0
        self.first = self.last = 0
        self.streams: list[_Stream] = []
        self._rate = rate

    def take(self, block: FeatureBlock) -> Floats:
        """Count a block and return its frames."""
        starts = np.flatnonzero(block.restarts).tolist()
        for first, end in pairwise([0, *starts, len(block)]):
            if first == end:
                continue
            stamps = block.stamps[first:end]
            stream = _Stream(self.frames + first, int(stamps[0]), int(stamps[-1]))
            if first not in starts:
                stream = self.streams.pop()._replace(end=stream.end)
            self.streams.append(stream)
        tracked = np.flatnonzero((block.frames[..., CONFIDENCE] > 0).any(axis=1)) + self.frames
        if len(tracked):
            self.first = self.first if self.tracked else int(tracked[0])
            self.last = int(tracked[-1])
        self.frames += len(block)
        self.tracked += len(tracked)
        return block.frames

    def seconds(self, stamp: int) -> float:
        """Convert a stamp to seconds from the first frame, on the clock of the nearest stream."""
        near = min(self.streams, key=lambda each: max(each.start - stamp, stamp - each.end, 0))
        return round(near.first / self._rate + (stamp - near.start) / NANOSECONDS, 6)


def write_frames(path: Path, blocks: Iterable[Floats]) -> None:
    """Write consecutive blocks of frames ``(n, 42, 7)`` as one ``.npy`` file."""
    header = {"descr": "<f4", "fortran_order": False}
    frames = 0
    with path.open("wb") as file:
        write_array_header_1_0(file, header | {"shape": (frames, JOINTS, FEATURES)})
        for block in blocks:
            file.write(np.ascontiguousarray(block, dtype="<f4").data)
            frames += len(block)
        file.seek(0)  # NumPy pads the header, so a larger frame count fits in place
        write_array_header_1_0(file, header | {"shape": (frames, JOINTS, FEATURES)})
