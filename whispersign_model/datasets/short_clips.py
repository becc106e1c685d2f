# SPDX-License-Identifier: MIT
"""Clips that are too short for their glosses.

CTC needs one step per gloss, and a blank between two equal glosses. A step is a patch of frames.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np

from whispersign_model.arrays import Floats
from whispersign_model.datasets.dataset import Example
from whispersign_model.skeleton import CONFIDENCE

PATCH_SIZE = 4  # frames in a step of all networks in config/model
NAMED = 10  # short clips that a text lists by name

Gloss = TypeVar("Gloss", int, str)


class ShortClip(NamedTuple):
    """A clip from whose glosses no network can learn.

    Attributes:
        name: name of the clip.
        frames: number of frames from the first tracked hand to the last.
        glosses: number of glosses.
        needed: minimum number of frames.
    """

    name: str
    frames: int
    glosses: int
    needed: int


def tracked_span(frames: Floats) -> slice:
    """Return the range from the first to the last frame with a tracked hand."""
    tracked = np.flatnonzero((frames[..., CONFIDENCE] > 0).any(axis=1))
    return slice(int(tracked[0]), int(tracked[-1]) + 1) if len(tracked) else slice(0, len(frames))


def required_steps(glosses: Sequence[Gloss]) -> int:
    """Return the fewest CTC steps for a sequence: one per gloss, plus a blank between equals."""
    return len(glosses) + sum(first == second for first, second in pairwise(glosses))


def find_short(
    name: str, frames: int, glosses: Sequence[Gloss], patch_size: int = PATCH_SIZE
) -> ShortClip | None:
    """Return a clip with this number of tracked frames if it is too short for its glosses."""
    needed = required_steps(glosses) * patch_size
    return ShortClip(name, frames, len(glosses), needed) if frames < needed else None


def split_short(
    examples: Sequence[Example], patch_size: int
) -> tuple[list[Example], list[ShortClip]]:
    """Return the examples that are long enough for their glosses, and the others."""
    kept, short = [], []
    for example in examples:
        found = None
        if len(example.labels):
            span = tracked_span(example.features())
            labels = example.labels.tolist()
            found = find_short(example.name, span.stop - span.start, labels, patch_size)
        if found is None:
            kept.append(example)
        else:
            short.append(found)
    return kept, short


def describe_short(clips: Sequence[ShortClip]) -> str:
    """Return the names of short clips with their lengths."""
    parts = [
        f"{clip.name} ({clip.frames} frames for {clip.glosses} glosses, which need {clip.needed})"
        for clip in clips[:NAMED]
    ]
    return ", ".join(parts) + (f" and {len(clips) - NAMED} more" if len(clips) > NAMED else "")
