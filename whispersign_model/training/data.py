"""From a processed dataset to padded batches: trim, augment, normalise, bucket by length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Sampler
from torch.utils.data import Dataset as TorchDataset

from whispersign_model.decoding.alignment import required_steps
from whispersign_model.errors import DatasetError
from whispersign_model.features.normalisation import Normaliser
from whispersign_model.features.recipe import Recipe
from whispersign_model.features.velocity import assemble
from whispersign_model.recordings.dataset import Dataset, Example
from whispersign_model.skeleton import CONFIDENCE, POSITION
from whispersign_model.training.augmentation import Augmentation
from whispersign_model.training.module import Batch


class Index(NamedTuple):
    """Which example to make, and for which epoch: all that its variation depends on."""

    epoch: int
    example: int


LEAST_BATCHES = 16  # an epoch: a small set is trained in smaller batches,
SMALLEST_BATCH = 4  # but not in smaller ones than this
HOLD_OUT = 8  # every 8th signer, or recording, validates where a dataset has no such split


def training_splits(data: Dataset) -> tuple[list[Example], list[Example], str]:
    """Return the examples to train and to validate on.

    Without a validation split some signers of the training split are held out, or some recordings
    where there are too few signers; the returned sentence then says which ("" otherwise).

    Raises:
        DatasetError: when there is nothing to train or to validate on.
    """
    training = data.split("train")
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
        f"{data.path} has no val split: {who} of train validate instead",
    )


def suitable_batch_size(clips: int, largest: int) -> int:
    """Return ``largest``, or less where that would make an epoch of too few batches."""
    return min(largest, max(SMALLEST_BATCH, clips // LEAST_BATCHES))


def tracked_span(frames: NDArray[np.float32]) -> slice:
    """Frames from the first to the last in which a hand is tracked; an utterance's extent."""
    tracked = np.flatnonzero((frames[..., CONFIDENCE] > 0).any(axis=1))
    return slice(int(tracked[0]), int(tracked[-1]) + 1) if len(tracked) else slice(0, len(frames))


Clip = tuple[NDArray[np.float32], NDArray[np.int64], str]  # features, gloss ids, name


class Clips(TorchDataset[Clip]):
    """Examples as normalised features; with ``augmentation``, another variation each epoch.

    Args:
        examples: of one split.
        recipe: fitted.
        patch_size: frames in a CTC step, to keep enough steps for the labels.
        seed: of the variations.
        augmentation: None for validation.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        recipe: Recipe,
        patch_size: int,
        seed: int,
        augmentation: Augmentation | None = None,
    ) -> None:
        self.examples = examples
        self.recipe = recipe
        self.patch_size = patch_size
        self.seed = seed
        self.augmentation = augmentation
        self.lengths = [self._extent(example) for example in examples]

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: Index) -> Clip:
        """Return features ``(T, 42, 7)``, gloss ids ``(L,)`` and the example's name."""
        example = self.examples[index.example]
        frames = example.features()
        span = tracked_span(frames)
        frames = frames[span]
        restarts = example.restart_mask()[span]
        if self.augmentation is not None:
            generator = np.random.default_rng([self.seed, index.epoch, index.example])
            positions, confidence = self.augmentation(
                frames[..., POSITION],
                frames[..., CONFIDENCE],
                self.recipe.rate,
                generator,
                self._least_frames(example),
            )
            frames = assemble(positions, confidence, self.recipe.rate)
            restarts = np.arange(len(frames)) == 0
        return Normaliser(self.recipe)(frames, restarts), example.labels, example.name

    def _extent(self, example: Example) -> int:
        """Frames of an example, checked against its labels before training starts."""
        frames = example.features()
        span = tracked_span(frames)
        length: int = span.stop - span.start
        if length < self._least_frames(example):
            raise DatasetError(
                example.features_path,
                f"{length} frames are too few for {len(example.labels)} glosses: CTC needs "
                f"{self._least_frames(example)}",
                "record it again or leave it out",
            )
        return length

    def _least_frames(self, example: Example) -> int:
        return max(1, required_steps(example.labels.tolist()) * self.patch_size)


class BucketSampler(Sampler[list[Index]]):
    """Batches of clips of about the same length, in an order that depends on seed and epoch only.

    Args:
        lengths: frames of each clip.
        batch_size: clips in a batch.
        seed: None for a fixed order (validation).
    """

    NOISE = 0.1  # lengths are blurred by this share, so that batches differ between epochs

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int | None) -> None:
        self.lengths = np.asarray(lengths, float)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0
        self.sampler = self  # where Lightning looks for set_epoch

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls this before each."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[Index]]:
        lengths = self.lengths
        generator = np.random.default_rng([self.seed or 0, self.epoch])
        if self.seed is not None:
            lengths = lengths * generator.uniform(1 - self.NOISE, 1 + self.NOISE, len(lengths))
        order = np.argsort(lengths, kind="stable")
        batches = [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]
        if self.seed is not None:
            generator.shuffle(batches)
        for batch in batches:
            yield [Index(self.epoch, int(example)) for example in batch]


def collate(clips: Sequence[Clip]) -> Batch:
    """Pad clips to the longest of the batch."""
    features = [torch.from_numpy(clip[0]) for clip in clips]
    targets = [torch.from_numpy(clip[1]) for clip in clips]
    return Batch(
        torch.nn.utils.rnn.pad_sequence(features, batch_first=True),
        torch.tensor([len(clip) for clip in features]),
        torch.nn.utils.rnn.pad_sequence(targets, batch_first=True),
        torch.tensor([len(target) for target in targets]),
        tuple(clip[2] for clip in clips),
    )


def loader(clips: Clips, batch_size: int, workers: int, seed: int | None) -> DataLoader[Clip]:
    """Give :class:`Batch` after :class:`Batch` of ``clips``; ``seed`` None keeps a fixed order."""
    return DataLoader(
        clips,
        batch_sampler=BucketSampler(clips.lengths, batch_size, seed),
        num_workers=workers,
        collate_fn=collate,
        persistent_workers=workers > 0,
    )
