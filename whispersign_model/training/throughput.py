"""Throughput: how fast clips are made, beside how fast a network trains on them, and how else."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch.nn.functional import pad

from whispersign_model.training.batching import BucketSampler
from whispersign_model.training.data import Clips, loader
from whispersign_model.training.module import Batch, TrainingModule

FIXED = 1500  # frames to which a loader pads that knows no lengths: 25 s at 60 Hz


@dataclass(frozen=True)
class LoadingFigures:
    """What loading costs.

    Attributes:
        loader_frames_per_s: real frames (without padding) that one worker delivers in a second.
        step_frames_per_s: real frames that training steps consume in a second.
        padding: share of all frames in batches that is padding.
        fixed_frames_per_s: real frames that training steps consume in a second when every clip is
            padded to ``FIXED`` frames.
    """

    loader_frames_per_s: float
    step_frames_per_s: float
    padding: float
    fixed_frames_per_s: float

    @property
    def gain(self) -> float:
        """How many times faster training is than with clips padded to ``FIXED`` frames."""
        return self.step_frames_per_s / self.fixed_frames_per_s

    @property
    def ratio(self) -> float:
        """How many times what training consumes the loader delivers."""
        return self.loader_frames_per_s / self.step_frames_per_s


def measure_loading(
    clips: Clips,
    step: Callable[[Batch], object],
    batch_size: int,
    steps: int = 8,
    rounds: int = 3,
) -> LoadingFigures:
    """Time one worker alone and training steps alone, in turns, on the same machine.

    Steps on clips padded to ``FIXED`` frames are timed on the first batch of each round.

    Args:
        clips: of a training split.
        step: trains on a batch; see :func:`training_step`.
        batch_size: most clips in a batch.
        steps: training steps in a round.
        rounds: of which the median counts.
    """
    batches = loader(clips, batch_size, workers=1, seed=0)
    sampler = batches.batch_sampler
    assert isinstance(sampler, BucketSampler)
    for batch in batches:  # starts the worker, and touches every file once
        warm = batch
    step(warm)
    delivered: list[float] = []
    consumed: list[float] = []
    consumed_fixed: list[float] = []
    real = padded = 0
    for epoch in range(1, rounds + 1):
        sampler.set_epoch(epoch)
        frames, started = 0, time.perf_counter()
        for batch in batches:
            frames += int(batch.lengths.sum())
            padded += batch.features.shape[0] * batch.features.shape[1]
        delivered.append(frames / (time.perf_counter() - started))
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


def real_frames_per_s(step: Callable[[Batch], object], batches: Sequence[Batch]) -> float:
    """Train on batches; return how many frames in a second, without padding."""
    started = time.perf_counter()
    for batch in batches:
        step(batch)
    seconds = time.perf_counter() - started
    return sum(int(batch.lengths.sum()) for batch in batches) / seconds


def padded_to(batch: Batch, frames: int) -> Batch:
    """Return a batch with every clip padded to ``frames``, or as long as it is."""
    more = max(0, frames - batch.features.shape[1])
    return batch._replace(features=pad(batch.features, (0, 0, 0, 0, 0, more)))


def training_step(module: TrainingModule) -> Callable[[Batch], object]:
    """Return a function that trains a module on a batch, as the trainer does.

    That is: loss, gradients, clipping by norm, AdamW, the average of the weights.
    """
    learning = [p for n, p in module.named_parameters() if p.requires_grad and "averaged" not in n]
    optimizer = torch.optim.AdamW(learning, lr=module.stage.rate, fused=True)
    module.model.train()

    def step(batch: Batch) -> None:
        loss = module.losses(batch, chunk=0).total
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, module.config.gradient_clip)
        optimizer.step()
        module.average()

    return step
