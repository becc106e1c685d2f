# SPDX-License-Identifier: MIT
"""Masks: which steps of a padded batch exist, and which steps a chunked pass may attend to."""

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


def attention_bias(allowed: Tensor) -> Tensor:
    """Return what to add to attention scores: 0 where ``allowed``, else so low that exp gives 0.

    A row in which nothing is allowed spreads evenly, and stays finite.
    """
    lowest = torch.finfo(torch.float32).min / 2  # scores are added to it without overflow
    return torch.zeros(allowed.shape, device=allowed.device).masked_fill(~allowed, lowest)
