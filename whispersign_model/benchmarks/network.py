# SPDX-License-Identifier: MIT
"""Benchmarks of the network: parameter count, memory, and time per clip and per training step."""

import re
import resource
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

from whispersign_model.benchmarks.fresh_process import in_fresh_process
from whispersign_model.configuration import config_file
from whispersign_model.network.config import SIZES, ModelConfig, load_model_config
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.skeleton import CONFIDENCE, FEATURES, JOINTS
from whispersign_model.training.losses import ctc_loss, decoder_loss, hybrid_loss

CLIPS = (60, 120, 600)  # frames: 1, 2 and 10 s
BATCH, BATCH_FRAMES, BATCH_GLOSSES = 16, 120, 2  # clips, frames and glosses of a training step
WARM_UP = 3  # number of warm-up runs, which are not timed
LEAST_RUNS, LEAST_SECONDS = 10, 1.0  # minimum runs and seconds behind a median

# Parts of the network in data-flow order, with patterns that match the names of their weights.
PARTS = {
    "patch embedding": r"frontend\.patches\.",
    "ConvSPE": r"frontend\.conv_spe\.",
    "BatchNorm": r"frontend\.norm\.",
    "S-MHSA": r"encoder\.blocks\.\d+\.spatial\.",
    "T-MHSA": r"encoder\.blocks\.\d+\.temporal\.",
    "feed-forward": r"encoder\.blocks\.\d+\.feed_forward\.",
    "layer norms": r"encoder\.(blocks\.\d+\.\w+_)?norm\.",
    "CTC head": r"ctc\.",
    "attention decoder": r"decoder\.",
}


class Costs(NamedTuple):
    """Costs of one network size on this machine; None for a cost that was not measured.

    Attributes:
        forward_ms: milliseconds for the first pass (network and greedy CTC), by clip length in
            frames.
        train_step_ms: milliseconds for one training step on 16 clips of 120 frames.
        memory_mb: peak resident memory, in megabytes, of a process that recognizes clips.
    """

    forward_ms: dict[str, float] | None = None
    train_step_ms: float | None = None
    memory_mb: float | None = None


def size_config(size: str) -> ModelConfig:
    """Return the configuration of a named size, with the vocabulary size given in its file."""
    return load_model_config(config_file(f"model/{size}.yaml"))


def parameters() -> dict[str, int]:
    """Return the parameter count of each size, without allocating the weights."""
    return {size: sum(parts.values()) for size, parts in parameters_by_part().items()}


def parameters_by_part() -> dict[str, dict[str, int]]:
    """Return the parameter count of each part of each size, in data-flow order."""
    counts = {}
    for size in SIZES:
        with torch.device("meta"):
            model = WhisperSignModel(size_config(size))
        counts[size] = dict.fromkeys(PARTS, 0)
        for name, parameter in model.named_parameters():
            part = next(part for part, names in PARTS.items() if re.match(names, name))
            counts[size][part] += parameter.numel()
    return counts


def measure(
    sizes: Sequence[str], threads: int, parts: Sequence[str], done: Callable[[], None]
) -> dict[str, Costs]:
    """Measure the given sizes one by one, each in a fresh process.

    Args:
        sizes: names of the sizes.
        threads: number of CPU threads for PyTorch.
        parts: fields of :class:`Costs` to measure.
        done: called after each size.
    """
    costs = {}
    for size in sizes:
        costs[size] = in_fresh_process(_measure, size, threads, tuple(parts))
        done()
    return costs


def _measure(size: str, threads: int, parts: tuple[str, ...]) -> Costs:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = WhisperSignModel(size_config(size)).eval()
    costs = Costs()
    if "memory_mb" in parts:
        for frames in CLIPS:
            model.decode(*made_up_features(1, frames), method="greedy")
        kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # on Linux
        costs = costs._replace(memory_mb=round(kibibytes / 1024, 1))
    if "forward_ms" in parts:
        costs = costs._replace(forward_ms={str(n): forward_ms(model, n) for n in CLIPS})
    if "train_step_ms" in parts:
        costs = costs._replace(train_step_ms=time_of(training_step(model)))
    return costs


def forward_ms(model: WhisperSignModel, frames: int) -> float:
    """Return the time of the first pass over one clip, in milliseconds."""
    data, lengths = made_up_features(1, frames)
    return time_of(lambda: model.decode(data, lengths, "greedy"))


def made_up_features(clips: int, frames: int) -> tuple[Tensor, Tensor]:
    """Return features ``(clips, frames, 42, 7)`` with both hands tracked, and their lengths."""
    data = torch.randn(clips, frames, JOINTS, FEATURES)
    data[..., CONFIDENCE] = 1
    return data, torch.full((clips,), frames)


def training_step(model: WhisperSignModel) -> Callable[[], None]:
    """Return a function that runs one training step: both losses, gradients, clipping, AdamW."""
    data, lengths = made_up_features(BATCH, BATCH_FRAMES)
    targets = torch.randint(1, model.config.decoder.vocab_size, (BATCH, BATCH_GLOSSES))
    target_lengths = torch.full((BATCH,), BATCH_GLOSSES)
    optimizer = torch.optim.AdamW(model.train().parameters(), fused=True)

    def step() -> None:
        encoded = model(data, lengths)
        loss = hybrid_loss(
            ctc_loss(encoded.log_probs, encoded.lengths, targets, target_lengths),
            decoder_loss(
                model.decoder, data, lengths, encoded, targets, target_lengths, smoothing=0.1
            ),
            alpha=0.3,
        )
        optimizer.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def time_of(run: Callable[[], object]) -> float:
    """Return the median time of ``run`` in milliseconds."""
    for _ in range(WARM_UP):
        run()
    times: list[float] = []
    while len(times) < LEAST_RUNS or sum(times) < LEAST_SECONDS:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return round(1000 * median(times), 3)
