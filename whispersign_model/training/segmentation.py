# SPDX-License-Identifier: MIT
"""Segmentation: a trained network aligns the glosses of recordings whose times are unknown."""

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
    """Return the spans of the glosses of every clip, by forced alignment where they are unknown.

    CTC puts a peak somewhere into each sign; a sign reaches to the middle between its peak and the
    next, so the spans fill the clip.

    Args:
        model: trained; it is put into evaluation mode.
        clips: to be cut into windows.
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
    """Return the frames at which a clip ``(T, 42, 7)``, with its ending, goes from gloss to gloss.

    There is at least one frame between two of them.
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
