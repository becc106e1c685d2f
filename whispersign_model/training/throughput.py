# SPDX-License-Identifier: MIT
"""Throughput: compare the speeds of loading and training, with and without bucketing."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch.nn.functional import pad

from whispersign_model.training.module import TrainingModule
from whispersign_model.training_data.batch import Batch
from whispersign_model.training_data.batching import BucketSampler
from whispersign_model.training_data.loader import Clip, Clips, collate, loader

FIXED = 1500  # padded length without bucketing: 25 s at 60 Hz


@dataclass(frozen=True)
class LoadingFigures:
    """Speeds of loading and training, in processor time to exclude other programs.

    Attributes:
        loader_frames_per_s: number of real frames (without padding) that one worker delivers per
            second.
        step_frames_per_s: number of real frames that training consumes per second, summed over
            threads.
        padding: share of padding among all frames in the batches.
        fixed_frames_per_s: number of real frames that training consumes per second if every clip is
            padded to ``FIXED`` frames.
    """

    loader_frames_per_s: float
    step_frames_per_s: float
    padding: float
    fixed_frames_per_s: float

    @property
    def gain(self) -> float:
        """The speed of training relative to clips padded to ``FIXED`` frames."""
        return self.step_frames_per_s / self.fixed_frames_per_s

    @property
    def ratio(self) -> float:
        """The speed of one loading worker relative to training."""
        return self.loader_frames_per_s / self.step_frames_per_s


def measure_loading(
    clips: Clips, step: Callable[[Batch], object], batch_size: int, steps: int = 8, rounds: int = 3
) -> LoadingFigures:
    """Time a loading worker and training steps alternately, so that neither slows the other.

    Steps on clips padded to ``FIXED`` frames are timed with the first batch of each round.

    Args:
        clips: clips of a training split.
        step: function that trains on a batch; see :func:`training_step`.
        batch_size: largest number of clips in a batch.
        steps: number of training steps per round.
        rounds: number of rounds; the result is their median.
    """
    batches = loader(clips, batch_size, workers=1, seed=0)
    batches.collate_fn = _clocked
    sampler = batches.batch_sampler
    assert isinstance(sampler, BucketSampler)
    for batch, seconds in batches:  # starts the worker and reads every file once
        warm, spent = batch, seconds
    step(warm)
    delivered: list[float] = []
    consumed: list[float] = []
    consumed_fixed: list[float] = []
    real = padded = 0
    for epoch in range(1, rounds + 1):
        sampler.set_epoch(epoch)
        frames, before = 0, spent
        for batch, seconds in batches:
            spent = seconds
            frames += int(batch.lengths.sum())
            padded += batch.features.shape[0] * batch.features.shape[1]
        delivered.append(frames / (spent - before))
        real += frames
        some = list(islice(loader(clips, batch_size, workers=0, seed=epoch), steps))
        consumed.append(real_frames_per_s(step, some))
        consumed_fixed.append(real_frames_per_s(step, [padded_to(some[0], FIXED)]))
    return LoadingFigures(
        statistics.median(delivered),
        statistics.median(consumed),
        1 - real / padded,
        statistics.median(consumed_fixed),
    )


def _clocked(clips: Sequence[Clip]) -> tuple[Batch, float]:
    """Return a batch, with the worker's processor time so far."""
    return collate(clips), time.process_time()


def real_frames_per_s(step: Callable[[Batch], object], batches: Sequence[Batch]) -> float:
    """Train on batches; return real frames (without padding) per second of processor time."""
    started = time.process_time()
    for batch in batches:
        step(batch)
    seconds = (time.process_time() - started) / torch.get_num_threads()
    return sum(int(batch.lengths.sum()) for batch in batches) / seconds


def padded_to(batch: Batch, frames: int) -> Batch:
    """Return a batch with every clip padded to at least ``frames``."""
    more = max(0, frames - batch.features.shape[1])
    return batch._replace(features=pad(batch.features, (0, 0, 0, 0, 0, more)))


def training_step(module: TrainingModule) -> Callable[[Batch], object]:
    """Return a function that trains a module on a batch in the same way as the trainer.

    The function computes the loss and the gradients, clips by norm, takes an AdamW step, and
    updates the averaged weights.
    """
    learning = [p for n, p in module.named_parameters() if p.requires_grad and "averaged" not in n]
    optimizer = torch.optim.AdamW(learning, lr=module.stage.learning_rate, fused=True)
    module.model.train()

    def step(batch: Batch) -> None:
        loss = module.losses(batch, chunk=0).total
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, module.config.gradient_clip)
        optimizer.step()
        module.average()

    return step
