"""Evaluation: a network's errors on a split of a dataset, whole clips or as a live stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from whispersign_model.decoding.search import DecodingOptions, Method
from whispersign_model.decoding.streaming import RecognizerOptions, Result, StreamingRecognizer
from whispersign_model.errors import DatasetError
from whispersign_model.features.normalisation import Normaliser
from whispersign_model.features.recipe import require_same
from whispersign_model.network.checkpoint import CheckpointMetadata
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.recordings.dataset import Dataset, Example
from whispersign_model.recordings.recording import NANOSECONDS
from whispersign_model.runtime.torch_backend import TorchBackend
from whispersign_model.training.data import Clips, loader
from whispersign_model.training.metrics import GlossErrors

Progress = Callable[[int], None]


def check_fit(data: Dataset, metadata: CheckpointMetadata) -> None:
    """Refuse a dataset that the network cannot read.

    Raises:
        RecipeError: the dataset was converted by another recipe.
        DatasetError: a gloss of the dataset is not in the network's vocabulary.
    """
    require_same(str(data.path), metadata.recipe.sensor_half(), data.recipe.sensor_half())
    unknown = [gloss for gloss in data.glosses if gloss not in metadata.glosses]
    if unknown:
        raise DatasetError(
            data.path,
            f"holds glosses the network does not know: {', '.join(unknown[:5])}",
            "evaluate the network that was trained on them",
        )


def evaluate(
    model: WhisperSignModel,
    metadata: CheckpointMetadata,
    examples: Sequence[Example],
    glosses: Sequence[str],
    method: Method,
    options: DecodingOptions,
    advance: Progress,
    batch_size: int = 16,
) -> tuple[GlossErrors, list[tuple[str, ...]]]:
    """Decode whole clips.

    Args:
        model: the network.
        metadata: of its checkpoint.
        examples: of one split.
        glosses: the dataset's vocabulary.
        method: greedy, beam or rescore.
        options: of the search.
        advance: called with the number of clips done.
        batch_size: clips decoded together.

    Returns:
        errors, and the recognised glosses in the order of ``examples``.
    """
    device = next(model.parameters()).device
    clips = Clips(examples, metadata.recipe, model.config.frontend.patch_size, seed=0)
    recognized: dict[str, tuple[str, ...]] = {}
    for batch in loader(clips, batch_size, workers=0, seed=None):
        decoded = model.decode(batch.features.to(device), batch.lengths.to(device), method, options)
        for name, hypothesis in zip(batch.names, decoded):
            recognized[name] = tuple(metadata.glosses[i - 1] for i in hypothesis.ids)
        advance(len(batch.names))
    return _count(examples, glosses, [recognized[example.name] for example in examples])


def evaluate_streaming(
    model: WhisperSignModel,
    metadata: CheckpointMetadata,
    examples: Sequence[Example],
    glosses: Sequence[str],
    options: RecognizerOptions,
    advance: Progress,
) -> tuple[GlossErrors, list[tuple[str, ...]]]:
    """Push each clip through the live recogniser, frame by frame; see :func:`evaluate`."""
    recognizer = StreamingRecognizer(
        TorchBackend(model, str(next(model.parameters()).device)), metadata.glosses, options
    )
    recognized = []
    for example in examples:
        frames = Normaliser(metadata.recipe)(example.features(), example.restart_mask())
        period = NANOSECONDS / metadata.recipe.rate
        stamps = np.round(np.arange(len(frames)) * period).astype(np.int64)
        results: list[Result] = []
        for first, last in pairwise([*example.restarts, len(frames)]):
            results += recognizer.push(frames[first:last], stamps[first:last])
            results += recognizer.finish()
        recognized.append(
            tuple(gloss.gloss for result in results if result.final for gloss in result.glosses)
        )
        advance(1)
    return _count(examples, glosses, recognized)


def _count(
    examples: Sequence[Example], glosses: Sequence[str], recognized: list[tuple[str, ...]]
) -> tuple[GlossErrors, list[tuple[str, ...]]]:
    errors = GlossErrors()
    for example, hypothesis in zip(examples, recognized):
        errors.add([glosses[i - 1] for i in example.labels.tolist()], hypothesis)
    return errors, recognized


def report(errors: GlossErrors, examples: Sequence[Example], recognized: Any) -> dict[str, Any]:
    """Figures and, clip by clip, what was recognised."""
    clips = [
        {"name": example.name, "signer": example.signer, "recognized": list(hypothesis)}
        for example, hypothesis in zip(examples, recognized)
    ]
    return {**errors.report(), "clips": clips}
