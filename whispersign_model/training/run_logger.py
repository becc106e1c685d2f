# SPDX-License-Identifier: MIT
"""The files of a run: plain-text log, copy of the recipe, and final metrics."""

import json
import platform
import time
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
import yaml

from whispersign_model import __version__
from whispersign_model.datasets.dataset import Dataset, Example
from whispersign_model.errors import CheckpointError
from whispersign_model.files import require_file
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.recordings.atomic import replace_file
from whispersign_model.training.config import StageConfig, TrainingConfig
from whispersign_model.training.module import TrainingModule

LOG, RECIPE, METRICS = "train.log", "recipe.yaml", "metrics.json"


class RunLogger:
    """Writes ``train.log`` line by line; only the first process writes.

    Args:
        out: the run's folder.
        writes: whether this process writes.
        append: whether to keep the lines of an earlier process.
    """

    def __init__(self, out: Path, writes: bool, append: bool) -> None:
        self._file = out / LOG if writes else None
        if self._file is not None and self._file.exists():
            require_file(self._file, CheckpointError)
        if self._file is not None and not append:
            self._file.write_text("")

    def write(self, text: str) -> None:
        """Append a line with the time of day."""
        if self._file is not None:
            line = " ".join(text.split())
            with self._file.open("a", encoding="utf-8") as stream:
                stream.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {line}\n")

    def warn(self, text: str) -> None:
        """Log and print a warning."""
        self.write(f"warning: {text}")
        if self._file is not None:
            print(f"warning: {text}")


def versions() -> dict[str, str]:
    """Return the versions of the software used for training."""
    return {
        "whispersign": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "lightning": lightning.__version__,
        "numpy": np.__version__,
    }


def about_run(
    data: Dataset,
    training: list[Example],
    validation: list[Example],
    config: TrainingConfig,
    model: WhisperSignModel,
    processes: int,
) -> list[str]:
    """Describe the data, the network and the settings in lines for the log."""
    rate = data.recipe.rate
    shares = [
        f"{name}: {len(examples)} clips, {sum(example.frames for example in examples) / rate:.0f} s"
        f", {len({example.signer for example in examples if example.signer})} signers"
        for name, examples in (("train", training), ("val", validation))
    ]
    return [
        ", ".join(f"{name} {version}" for name, version in versions().items()),
        f"data {data.path}: {len(data.glosses)} glosses; {'; '.join(shares)}",
        f"network: {model.parameter_count():,} weights, d_model {model.config.frontend.d_model}, "
        f"{model.config.encoder.num_layers} layers",
        f"seed {config.seed}, precision {config.precision}, {processes} processes, at most "
        f"{config.batch_size} clips in a batch, {config.accumulate} batches in a step; all of the "
        f"recipe: {RECIPE}",
    ]


def epoch_line(
    module: TrainingModule, epoch: int, learning_rate: float, seconds: float, best: bool
) -> str:
    """Format the figures of an epoch as a log line; ``epoch`` counts from 1 in each stage."""
    means, errors = module.means, module.errors
    stage: StageConfig = module.stage
    return (
        f"{stage.name} {epoch}/{stage.epochs}: loss {means['loss']:.4f} (CTC "
        f"{means['loss_ctc']:.4f}, attention {means['loss_attention']:.4f}), WER {errors.wer:.4f} "
        f"(S {errors.substitutions} D {errors.deletions} I {errors.insertions}), exact "
        f"{errors.accuracy:.4f}, learning rate {learning_rate:.2e}, "
        f"gradient {means.get('gradient_norm', float('nan')):.2f}, {seconds:.1f} s"
        f"{', best so far' if best else ''}"
    )


def write_recipe(out: Path, config: TrainingConfig) -> None:
    """Write the recipe with all defaults, in a form that ``--config`` can read."""
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    replace_file(out / RECIPE, text.encode())


def write_metrics(out: Path, more: dict[str, Any]) -> dict[str, Any]:
    """Write ``metrics.json`` with the figures of the best network and of the run.

    Args:
        out: the run's folder.
        more: additional figures of the run.

    Returns:
        the content of the file.
    """
    metadata = read_metadata(out)
    metrics = {"epoch": metadata.epoch, **metadata.losses, **metadata.metrics, **more}
    replace_file(out / METRICS, json.dumps(metrics, indent=1).encode())
    return metrics
