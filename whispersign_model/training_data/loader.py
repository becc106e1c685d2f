# SPDX-License-Identifier: MIT
"""Load padded batches from a processed dataset: trim, augment, normalize, and bucket."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, overload

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch.utils.data import DataLoader, get_worker_info
from torch.utils.data import Dataset as TorchDataset

from whispersign_model.arrays import Floats, Ints
from whispersign_model.datasets.dataset import Dataset, Example
from whispersign_model.errors import ConfigError, DatasetError, WhisperSignError
from whispersign_model.features.end_padding import END_PADDING
from whispersign_model.features.normalisation import Normaliser
from whispersign_model.features.recipe import Recipe
from whispersign_model.features.velocity import assemble
from whispersign_model.skeleton import FEATURES, JOINTS, VELOCITY
from whispersign_model.training_data.augmentation import Augmentation
from whispersign_model.training_data.background import idle_movement
from whispersign_model.training_data.batch import Batch
from whispersign_model.training_data.batching import BucketSampler, Index
from whispersign_model.training_data.clip_store import KEPT, ClipStore
from whispersign_model.training_data.composition import Composition, compose, draw_composition
from whispersign_model.training_data.windows import Spans, draw_segments

LEAST_BATCHES = 16  # smallest number of batches in an epoch; small datasets get smaller batches
SMALLEST_BATCH = 4  # smallest batch size for a small dataset
HOLD_OUT = 8  # without a val split, every 8th signer or recording is held out


def training_splits(data: Dataset) -> tuple[list[Example], list[Example], str]:
    """Return the training examples, the validation examples, and a note for the user.

    Without a validation split, some signers of the training split are held out, or some recordings
    if there are too few signers. The note then names them; otherwise, it is "".

    Raises:
        DatasetError: the dataset has no examples for training or for validation.
    """
    training = data.split("train")
    if not data.glosses:
        raise DatasetError(data.path, "holds no gloss", "label some of its recordings")
    if data.splits.get("val"):
        return training, data.split("val"), ""
    signers = sorted({example.signer for example in training})
    held = set(signers[::HOLD_OUT]) if len(signers) > 2 else set()
    held_out = [
        example.signer in held if held else index % HOLD_OUT == 0
        for index, example in enumerate(training)
    ]
    if all(held_out):
        raise DatasetError(data.path / "val", "is missing, and train is too small to share")
    who = f"signers {', '.join(sorted(held))}" if held else f"every {HOLD_OUT}th recording"
    return (
        [example for example, out in zip(training, held_out) if not out],
        [example for example, out in zip(training, held_out) if out],
        f"{data.path} has no val split: {who} of train is used for validation instead",
    )


def suitable_batch_size(clips: int, largest: int) -> int:
    """Return ``largest``, or less if an epoch would have too few batches."""
    return min(largest, max(SMALLEST_BATCH, clips // LEAST_BATCHES))


NO_SEGMENTS = np.zeros((0, 3), np.int64)


class Clip(NamedTuple):
    """An example, or a variation of one.

    Attributes:
        features: ``(T, 42, 7)`` normalized features.
        labels: ``(L,)`` gloss ids.
        name: name of the original example.
        segments: ``(N, 3)``; see :func:`~whispersign_model.training_data.windows.draw_segments`.
    """

    features: Floats
    labels: Ints
    name: str
    segments: Ints = NO_SEGMENTS


class Clips(TorchDataset[Clip]):
    """Provides examples as normalized features, with new variations in each epoch.

    A variation depends only on the seed, the epoch and the example.

    Args:
        examples: examples of one split.
        recipe: a recipe fitted to the training split.
        patch_size: number of frames in a CTC step, which limits how short a variation can be.
        seed: seed of the variations.
        augmentation: strength of the variations; None disables them, for validation.
        glosses: the vocabulary, for looking up glosses that are never mirrored.
        candidate_segments: lengths, in patches, of the segments in which a network detects signs;
            if given, training segments are drawn from each variation.

    Raises:
        DatasetError: an example is too short for its glosses.
        ConfigError: the augmentation names a gloss that is not in the vocabulary.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        recipe: Recipe,
        patch_size: int,
        seed: int,
        augmentation: Augmentation | None = None,
        glosses: Sequence[str] = (),
        candidate_segments: Sequence[int] = (),
    ) -> None:
        self.examples = examples
        self.recipe = recipe
        self.patch_size = patch_size
        self.seed = seed
        self.augmentation = augmentation
        self.store = ClipStore(examples, recipe.rate, patch_size, keep=augmentation is not None)
        self._add_background()
        self.lengths = self.store.lengths
        self._glosses = glosses
        lengths = [patch_size * length for length in candidate_segments]
        self._segments = (min(lengths), max(lengths)) if lengths else None
        self._normaliser = Normaliser(recipe)
        self._unmirrored = self._ids_of_unmirrored()
        self._fixed: dict[int, Floats] = {}  # cache of validation features
        self._room = KEPT

    def __len__(self) -> int:
        return len(self.examples)

    def varied(self, augmentation: Augmentation | None, seed: int) -> Clips:
        """Return the same examples with another augmentation or seed, without rereading them."""
        other = copy.copy(self)
        other.augmentation = augmentation
        other.seed = seed
        other._add_background()
        other._unmirrored = other._ids_of_unmirrored()
        return other

    def with_spans(self, spans: Sequence[Spans | None]) -> Clips:
        """Return the same examples with the given gloss spans, which windows require."""
        other = copy.copy(self)
        other.store = copy.copy(self.store)
        other.store.spans = list(spans)
        return other

    def planned_lengths(self, epoch: int) -> list[int]:
        """Return the number of frames in each clip of an epoch, for batching by length."""
        if self.augmentation is None:
            return self.lengths
        return [self._plan(Index(epoch, example))[0].frames for example in range(len(self))]

    def __getitem__(self, index: Index) -> Clip:
        """Return an example or its variation in an epoch."""
        example = self.examples[index.example]
        if self.augmentation is None:
            return Clip(self._unvaried(index.example), example.labels, example.name)
        plan, generator = self._plan(index)
        rate = self.recipe.rate
        clip = compose(plan, self.store, rate, self.patch_size, generator)
        positions, confidence = self.augmentation.vary(
            clip.positions,
            clip.confidence,
            rate,
            generator,
            may_mirror=self._unmirrored.isdisjoint(clip.labels.tolist()),
            plane=0.0 if self.recipe.coordinates == "metric_sensor" else self.store.middle,
        )
        frames = assemble(positions, confidence, rate)
        frames[clip.restarts, :, VELOCITY] = 0
        segments = NO_SEGMENTS
        if self._segments and clip.spans is not None:
            labels = clip.labels.tolist()
            segments = draw_segments(clip.spans, labels, len(frames), self._segments, generator)
        features = self._normalised(frames, clip.restarts)
        return Clip(features, clip.labels, example.name, segments)

    def __getitems__(self, indices: Sequence[Index]) -> list[Clip] | WhisperSignError:
        """Return the clips of a batch, or an error; an error raised in a worker loses its type."""
        try:
            return [self[index] for index in indices]
        except WhisperSignError as error:
            return error

    def _plan(self, index: Index) -> tuple[Composition, Generator]:
        """Return the composition of a clip, and the generator for all further randomness."""
        assert self.augmentation is not None
        generator = np.random.default_rng([self.seed, index.epoch, index.example])
        rate = self.recipe.rate
        return draw_composition(
            self.augmentation, self.store, index.example, rate, generator
        ), generator

    def features(self, number: int) -> Floats:
        """Return the features ``(T, 42, 7)`` of an example without augmentation."""
        frames = self.examples[number].features()[self.store.extents[number]]
        return self._normalised(frames, self.store.restarts(number))

    def _unvaried(self, number: int) -> Floats:
        """Return the features of an example, from the cache if possible."""
        features = self._fixed.get(number)
        if features is None:
            features = self.features(number)
            self._room -= features.nbytes
            if self._room >= 0:
                self._fixed[number] = features
        return features

    def _normalised(self, frames: Floats, restarts: NDArray[np.intp]) -> Floats:
        mask = np.zeros(len(frames), bool)
        mask[restarts] = True
        features = np.zeros((len(frames) + END_PADDING, *frames.shape[1:]), np.float32)
        self._normaliser(frames, mask, out=features[: len(frames)])
        return features

    def _add_background(self) -> None:
        if self.augmentation is not None and self.augmentation.reject:
            self.store.background = idle_movement(self.recipe.sensor_half())

    def _ids_of_unmirrored(self) -> set[int]:
        names = self.augmentation.unmirrored if self.augmentation else ()
        for name in names:
            if name not in self._glosses:
                raise ConfigError("augmentation", f"unmirrored: no gloss '{name}' in the dataset")
        return {self._glosses.index(name) + 1 for name in names}


@overload
def collate(clips: Sequence[Clip]) -> Batch: ...
@overload
def collate(clips: WhisperSignError) -> WhisperSignError: ...
def collate(clips: Sequence[Clip] | WhisperSignError) -> Batch | WhisperSignError:
    """Pad the clips to the length of the longest; pass an error through."""
    if isinstance(clips, WhisperSignError):
        return clips
    lengths = [len(clip.features) for clip in clips]
    rows = _shared_zeros((len(clips), max(lengths), JOINTS, FEATURES))
    for row, clip in zip(rows.numpy(), clips):
        row[: len(clip.features)] = clip.features
    targets = [torch.from_numpy(clip.labels) for clip in clips]
    segments = [np.insert(clip.segments, 0, row, axis=1) for row, clip in enumerate(clips)]
    return Batch(
        rows,
        torch.tensor(lengths),
        torch.nn.utils.rnn.pad_sequence(targets, batch_first=True),
        torch.tensor([len(target) for target in targets]),
        tuple(clip.name for clip in clips),
        torch.from_numpy(np.concatenate(segments)),
    )


def _shared_zeros(shape: tuple[int, ...]) -> torch.Tensor:
    """Return zeros; in a loader worker they are in shared memory, which saves a copy.

    ``torch.utils.data.default_collate`` does the same, but it can stack only arrays of equal
    length.
    """
    zeros = torch.zeros(0)
    if get_worker_info() is None:
        return torch.zeros(shape)
    storage = zeros._typed_storage()._new_shared(math.prod(shape))
    return zeros.new(storage).resize_(shape)


class Batches(DataLoader[Clip]):
    """A data loader that yields :class:`Batch` objects.

    Raises:
        WhisperSignError: a loader worker raised it, or the system killed the worker.
    """

    def __iter__(self) -> Any:  # yields Batch unless a benchmark sets another collate_fn
        """Start an epoch."""
        return self._batches(super().__iter__())

    @staticmethod
    def _batches(found: Iterable[Any]) -> Iterator[Any]:
        try:
            for batch in found:
                if isinstance(batch, WhisperSignError):
                    raise batch
                yield batch
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            reason = str(error).splitlines()[0]
            remedy = "free memory, also in /dev/shm, or set workers: 0"
            raise DatasetError("a loading process", f"died ({reason})", remedy) from error


def loader(clips: Clips, batch_size: int, workers: int, seed: int | None) -> Batches:
    """Return a loader for ``clips``; a ``seed`` of None gives a fixed order."""
    return Batches(
        clips,
        batch_sampler=BucketSampler(clips.planned_lengths, batch_size, seed),
        num_workers=workers,
        collate_fn=collate,
        persistent_workers=workers > 0,
    )
