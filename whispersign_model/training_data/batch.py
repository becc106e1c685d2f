# SPDX-License-Identifier: MIT
"""A batch of clips, padded to a common length."""

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """Clips of similar length, padded to a common length.

    Attributes:
        features: ``(B, T, 42, 7)`` normalized features.
        lengths: ``(B,)`` number of frames in each clip.
        targets: ``(B, L)`` gloss ids, padded with 0.
        target_lengths: ``(B,)`` number of glosses in each clip.
        names: names of the clips.
        segments: ``(N, 4)``: row of the clip, first frame, frame after the last, and gloss id or 0.
            Only detection networks use it.
    """

    features: Tensor
    lengths: Tensor
    targets: Tensor
    target_lengths: Tensor
    names: tuple[str, ...]
    segments: Tensor
