# SPDX-License-Identifier: MIT
"""Batching: group clips of similar length, in an order that depends only on the epoch."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Sampler

from whispersign_model.arrays import Doubles

FEW = 4  # smallest batch with usable BatchNorm statistics
OVERHEAD = 0.05  # cost of each batch, as a share of the frames in an average batch


class Index(NamedTuple):
    """The numbers of an example and an epoch, which together determine a variation."""

    epoch: int
    example: int


def batch_sizes(lengths: Sequence[int], largest: int) -> list[int]:
    """Divide clips, sorted by length, into batches with little padding.

    Every batch has between a quarter of ``largest`` and ``largest`` clips (or all clips, if there
    are fewer), and at least ``FEW`` clips where possible. The sizes minimize the total number of
    frames, including padding and the ``OVERHEAD`` of each batch.

    Args:
        lengths: number of frames in each clip, in any order.
        largest: largest number of clips in a batch.

    Returns:
        the number of clips in each batch, from the shortest clips to the longest.
    """
    ordered = np.sort(np.asarray(lengths, float))
    clips = len(ordered)
    least = max(1, largest // 4, min(FEW, largest // 2))  # at most half, so any number fits
    if clips <= least:
        return [clips] if clips else []
    overhead = OVERHEAD * largest * ordered.mean()
    frames = np.full(clips + 1, np.inf)  # lowest cost, by number of clips
    frames[0] = 0
    last = np.zeros(clips + 1, int)  # size of the last batch at the lowest cost
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
    """Yields batches of clips of similar length, in an order set by seed and epoch.

    Every epoch has the same number of batches with the same sizes. In distributed training, all
    processes take equally many batches; if the number does not divide evenly, a few batches are
    used twice.

    Args:
        lengths: number of frames in each clip, or a function that returns them for an epoch.
        batch_size: largest number of clips in a batch.
        seed: seed of the order; None gives a fixed order (for validation) in which no batch occurs
            twice.
    """

    NOISE = 0.03  # random change of the lengths, so that batches differ between epochs

    def __init__(
        self,
        lengths: Sequence[int] | Callable[[int], Sequence[int]],
        batch_size: int,
        seed: int | None,
    ) -> None:
        self.seed = seed
        self.epoch = 0
        self.sampler = self  # Lightning calls set_epoch on this attribute
        self._lengths = lengths
        sizes = batch_sizes(self._lengths_of(0).tolist(), batch_size)
        self._ends = np.cumsum(sizes, dtype=int)

    def _lengths_of(self, epoch: int) -> Doubles:
        lengths = self._lengths
        return np.asarray(lengths(epoch) if callable(lengths) else lengths, float)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; Lightning calls this before each one."""
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
    """Return the rank of this process and the number of processes."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
