"""Masks: which steps of a padded batch exist, and which steps a chunked pass may attend to."""

from __future__ import annotations

import torch
from torch import Tensor

FULL = 0  # chunk size that stands for "the whole clip at once"


def valid_steps(lengths: Tensor, steps: int) -> Tensor:
    """Return ``(B, steps)`` bool, True where a step is within its clip's length."""
    return torch.arange(steps, device=lengths.device)[None] < lengths[:, None]


def chunk_mask(steps: int, chunk: int, left_context: int, device: torch.device) -> Tensor:
    """Return ``(steps, steps)`` bool: True where query (row) may attend to key (column).

    A step sees its whole chunk of ``chunk`` steps and up to ``left_context`` steps before the
    chunk (dynamic chunk training; Zhang et al. 2020, arXiv:2012.05481). ``chunk`` = 0 sees all.
    """
    if chunk == FULL:
        return torch.ones(steps, steps, dtype=torch.bool, device=device)
    position = torch.arange(steps, device=device)
    start = position // chunk * chunk
    keys = position[None]
    return (keys < (start + chunk)[:, None]) & (keys >= (start - left_context)[:, None])


def masked_softmax(scores: Tensor, allowed: Tensor) -> Tensor:
    """Softmax over the last axis in float32; rows where nothing is allowed give all zeros.

    Args:
        scores: attention scores, any float type.
        allowed: bool, broadcastable to ``scores``.

    Returns:
        weights of the scores' type.
    """
    filled = scores.float().masked_fill(~allowed, torch.finfo(torch.float32).min)
    return (filled.softmax(dim=-1) * allowed).to(scores.dtype)
