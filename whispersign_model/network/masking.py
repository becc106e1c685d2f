# SPDX-License-Identifier: MIT
"""Masks for the valid steps of a padded batch and for chunked attention."""

import torch
from torch import Tensor

FULL = 0  # chunk size that means "the whole clip"


def valid_steps(lengths: Tensor, steps: int) -> Tensor:
    """Return ``(B, steps)`` bool: True where a step lies within its clip."""
    return torch.arange(steps, device=lengths.device)[None] < lengths[:, None]


def chunk_mask(steps: int, chunk: int, left_context: int, device: torch.device) -> Tensor:
    """Return ``(steps, steps)`` bool: True where a query (row) may attend to a key (column).

    A step sees its whole chunk of ``chunk`` steps and up to ``left_context`` steps before the chunk
    (dynamic chunk training; Zhang et al. 2020, arXiv:2012.05481). With ``chunk`` 0, it sees all
    steps.
    """
    if chunk == FULL:
        return torch.ones(steps, steps, dtype=torch.bool, device=device)
    position = torch.arange(steps, device=device)
    start = position // chunk * chunk
    keys = position[None]
    return (keys < (start + chunk)[:, None]) & (keys >= (start - left_context)[:, None])


def attention_bias(allowed: Tensor) -> Tensor:
    """Return a bias for attention scores: 0 where ``allowed``, elsewhere so low that exp gives 0.

    A row without an allowed key attends evenly to all keys, so its result stays finite.
    """
    lowest = torch.finfo(torch.float32).min / 2  # low enough, yet adding scores does not overflow
    return torch.zeros(allowed.shape, device=allowed.device).masked_fill(~allowed, lowest)
