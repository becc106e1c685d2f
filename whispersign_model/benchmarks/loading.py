# SPDX-License-Identifier: MIT
"""Measure how fast the loader delivers frames and how fast training consumes them."""

from dataclasses import asdict, replace
from pathlib import Path

import torch

from whispersign_model.benchmarks.network import size_config
from whispersign_model.configuration import config_file, load_yaml
from whispersign_model.datasets.conversion import ConversionOptions, Source, convert
from whispersign_model.datasets.dataset import Dataset
from whispersign_model.features.normalisation import fit_scaling
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.synthesis.corpus import CorpusOptions, synthesize_corpus
from whispersign_model.temporary import temporary_folder
from whispersign_model.training.config import TrainingConfig
from whispersign_model.training.module import TrainingModule
from whispersign_model.training.throughput import measure_loading, training_step
from whispersign_model.training_data.loader import Clips

SIZE = "tiny"  # the network whose steps the loader must keep up with
MADE_UP = CorpusOptions(signers=2, takes=2, sentences=60, length=(2, 6), left_handed=0.0)


def measure(folder: Path | None, threads: int) -> dict[str, float]:
    """Measure how fast a dataset loads and how fast the Tiny network trains on it.

    Args:
        folder: a processed dataset with a training split; None for synthetic recordings.
        threads: number of CPU threads for the training steps.

    Returns:
        the fields of :class:`~whispersign_model.training.throughput.LoadingFigures`, ``ratio`` and
        ``gain``, the number of ``clips``, and the mean number of ``frames`` per clip.

    Raises:
        DatasetError: the training split is empty.
    """
    with temporary_folder() as scratch:
        data = Dataset.open(folder or made_up_dataset(scratch / "dataset", MADE_UP))
        config = load_yaml(TrainingConfig, config_file("train.yaml"))
        training = data.split("train")
        recipe = data.recipe.changed(**config.features.model_dump())
        recipe = fit_scaling(recipe, (example.features() for example in training))
        torch.manual_seed(config.seed)
        model = WhisperSignModel(size_config(SIZE).with_vocabulary(len(data.glosses)))
        patch = model.config.frontend.patch_size
        clips = Clips(training, recipe, patch, config.seed, config.augmentation, data.glosses)
        module = TrainingModule(model, config.stages[-1], config, data.glosses)
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            figures = measure_loading(clips, training_step(module), config.batch_size)
        finally:
            torch.set_num_threads(before)
    return {
        **asdict(figures),
        "ratio": figures.ratio,
        "gain": figures.gain,
        "clips": len(clips),
        "frames": sum(clips.lengths) / len(clips),
    }


def made_up_dataset(folder: Path, options: CorpusOptions) -> Path:
    """Write a synthetic dataset that has only a training split, and return its folder."""
    recordings = [replace(each, split="train") for each in synthesize_corpus(options)]
    convert(folder, map(Source.of, recordings), ConversionOptions())
    return folder
