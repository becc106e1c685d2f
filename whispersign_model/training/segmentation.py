# SPDX-License-Identifier: MIT
"""Segmentation: locate glosses without known times, by alignment with a trained network."""

from collections.abc import Sequence
from itertools import pairwise

import torch

from whispersign_model.arrays import Floats
from whispersign_model.decoding.forced_alignment import align
from whispersign_model.features.end_padding import END_PADDING
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.training_data.loader import Clips
from whispersign_model.training_data.windows import Spans


def aligned_spans(model: WhisperSignModel, clips: Clips) -> list[Spans]:
    """Return the gloss spans of every clip, using forced alignment where times are unknown.

    CTC places one peak somewhere within each sign. A sign ends midway between its peak and the next
    one, so the spans fill the whole clip.

    Args:
        model: a trained network, which is set to evaluation mode.
        clips: the clips to align.
    """
    model.eval()
    found = []
    for number, known in enumerate(clips.store.spans):
        if known is None:
            labels = clips.examples[number].labels.tolist()
            known = tuple(pairwise(_edges(model, clips.features(number), labels)))
        found.append(known)
    return found


def _edges(model: WhisperSignModel, features: Floats, labels: Sequence[int]) -> list[int]:
    """Return the frames at which the gloss changes in a clip ``(T, 42, 7)`` with end padding.

    Each gloss is at least one frame long.
    """
    frames = len(features) - END_PADDING
    device = next(model.parameters()).device
    clip = torch.from_numpy(features)[None].to(device)
    with torch.inference_mode():
        log_probs = model(clip, torch.tensor([clip.shape[1]], device=device)).log_probs[0]
    patch = model.config.frontend.patch_size
    peaks = [(first + last) / 2 * patch for first, last in align(log_probs.cpu().numpy(), labels)]
    edges = [0]
    for place, (one, other) in enumerate(pairwise(peaks), start=1):
        latest = frames - (len(labels) - place)
        edges.append(min(max(round((one + other) / 2), edges[-1] + 1), latest))
    return [*edges, frames]
