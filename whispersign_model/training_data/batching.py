# SPDX-License-Identifier: MIT
"""Batching: clips of about the same length together, in an order that only the epoch decides."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Sampler

from whispersign_model.arrays import Doubles

FEW = 4  # clips that a batch should have, for the statistics of BatchNorm
OVERHEAD = 0.05  # what a batch more costs, as a share of the frames of a mean one


class Index(NamedTuple):
    """Which example to make, and for which epoch: all that its variation depends on."""

    epoch: int
    example: int


def batch_sizes(lengths: Sequence[int], largest: int) -> list[int]:
    """Cut clips in order of length into batches with little padding.

    Every batch has between a quarter of ``largest`` and ``largest`` clips, or all clips there are,
    and not fewer than ``FEW`` where that can be. The frames of all batches together, with padding
    and ``OVERHEAD`` for each batch, are as few as they can be.

    Args:
        lengths: frames of each clip, in any order.
        largest: clips in a batch.

    Returns:
        clips in each batch, from the shortest clips to the longest.
    """
    ordered = np.sort(np.asarray(lengths, float))
    clips = len(ordered)
    least = max(1, largest // 4, min(FEW, largest // 2))  # at most half: any number can be cut up
    if clips <= least:
        return [clips] if clips else []
    overhead = OVERHEAD * largest * ordered.mean()
    frames = np.full(clips + 1, np.inf)  # of the best batches of so many clips
    frames[0] = 0
    last = np.zeros(clips + 1, int)  # clips in the last of them
    for count in range(least, clips + 1):
        sizes = np.arange(least, min(largest, count) + 1)
        costs = frames[count - sizes] + sizes * ordered[count - 1] + overhead
        best = int(costs.argmin())
        frames[count], last[count] = costs[best], sizes[best]
    found = []
    while clips:
        found.append(int(last[clips]))
        clips -= found[-1]
    return found[::-1]


class BucketSampler(Sampler[list[Index]]):
    """Batches of clips of about the same length, in an order that depends on seed and epoch only.

    Every epoch has the same number of batches, of the same sizes. Where several processes train
    together each has its share of the batches, equally many; a few are trained on twice if their
    number does not divide.

    Args:
        lengths: frames of each clip; or a function that gives them for an epoch.
        batch_size: most clips in a batch.
        seed: None for a fixed order (validation): no batch is then given twice.
    """

    NOISE = 0.03  # lengths are blurred by this share, so that batches differ between epochs

    def __init__(
        self,
        lengths: Sequence[int] | Callable[[int], Sequence[int]],
        batch_size: int,
        seed: int | None,
    ) -> None:
        self.seed = seed
        self.epoch = 0
        self.sampler = self  # where Lightning looks for set_epoch
        self._lengths = lengths
        sizes = batch_sizes(self._lengths_of(0).tolist(), batch_size)
        self._ends = np.cumsum(sizes, dtype=int)

    def _lengths_of(self, epoch: int) -> Doubles:
        lengths = self._lengths
        return np.asarray(lengths(epoch) if callable(lengths) else lengths, float)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls this before each."""
        self.epoch = epoch

    def __len__(self) -> int:
        rank, processes = process()
        batches = len(self._ends)
        if self.seed is not None:
            return -(-batches // processes)
        return len(range(rank, batches, processes))

    def __iter__(self) -> Iterator[list[Index]]:
        lengths = self._lengths_of(self.epoch)
        generator = np.random.default_rng([self.seed or 0, self.epoch])
        if self.seed is not None:
            lengths = lengths * generator.uniform(1 - self.NOISE, 1 + self.NOISE, len(lengths))
        batches = np.split(np.argsort(lengths, kind="stable"), self._ends[:-1])
        rank, processes = process()
        if self.seed is not None:
            generator.shuffle(batches)
            missing = -len(batches) % processes
            batches += [batches[number % len(batches)] for number in range(missing)]
        for batch in batches[rank::processes]:
            yield [Index(self.epoch, int(example)) for example in batch]


def process() -> tuple[int, int]:
    """Return this process's number among those that train together, and how many there are."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
