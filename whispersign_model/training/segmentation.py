"""Segmentation: where each gloss of a recording lies, from a trained network where nobody said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from whispersign_model.decoding.alignment import align
from whispersign_model.features.ending import with_ending
from whispersign_model.features.normalisation import Normaliser
from whispersign_model.features.recipe import Recipe
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.recordings.dataset import Example
from whispersign_model.recordings.recording import NANOSECONDS, Segment
from whispersign_model.training.takes import tracked_span
from whispersign_model.training.windows import known_spans


def aligned_examples(
    model: WhisperSignModel, examples: Sequence[Example], recipe: Recipe, glosses: Sequence[str]
) -> list[Example]:
    """Return the examples with segments for all: where they have none, from forced alignment.

    CTC puts a peak somewhere into each sign; a sign's segment reaches to the middle between its
    peak and the next, so the segments fill the recording.

    Args:
        model: trained; it is put into evaluation mode.
        examples: as a dataset has them.
        recipe: the model's.
        glosses: the vocabulary.
    """
    model.eval()
    normaliser = Normaliser(recipe)
    found = []
    for example in examples:
        if known_spans(example, recipe.rate) is None:
            frames = example.features()
            span = tracked_span(frames)
            normaliser.reset()
            features = normaliser(frames[span], example.restart_mask()[span])
            names = [glosses[label - 1] for label in example.labels.tolist()]
            edges = [span.start + edge for edge in _edges(model, features, example.labels.tolist())]
            times = [round(edge * NANOSECONDS / recipe.rate) for edge in edges]
            segments = [Segment((name,), *times[i : i + 2]) for i, name in enumerate(names)]
            example = replace(example, segments=tuple(segments))
        found.append(example)
    return found


def _edges(
    model: WhisperSignModel, features: NDArray[np.float32], labels: Sequence[int]
) -> list[int]:
    """Return the frames at which a recording ``(T, 42, 7)`` passes from gloss to gloss."""
    frames = len(features)
    device = next(model.parameters()).device
    clip = torch.from_numpy(with_ending(features))[None].to(device)
    with torch.inference_mode():
        log_probs = model(clip, torch.tensor([clip.shape[1]], device=device)).log_probs[0]
    patch = model.config.frontend.patch_size
    peaks = [(first + last) / 2 * patch for first, last in align(log_probs.cpu().numpy(), labels)]
    between = [min(frames, round((one + other) / 2)) for one, other in pairwise(peaks)]
    return [0, *between, frames]
