# SPDX-License-Identifier: MIT
"""A batch: clips padded to one length."""

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """Clips of similar length, padded.

    Attributes:
        features: ``(B, T, 42, 7)`` normalized features.
        lengths: ``(B,)`` numbers of frames.
        targets: ``(B, L)`` gloss ids, padded with 0.
        target_lengths: ``(B,)`` numbers of glosses.
        names: names of the clips.
        segments: ``(N, 4)`` row of the clip, first frame, frame after the last, and gloss id or 0;
            only for a detection network.
    """

    features: Tensor
    lengths: Tensor
    targets: Tensor
    target_lengths: Tensor
    names: tuple[str, ...]
    segments: Tensor
