# SPDX-License-Identifier: MIT
"""Attention over hand parts, over time and in the decoder, as explicit matrix products."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from whispersign_model.network.config import PARTS, PARTS_PER_HAND


class BlockLinear(nn.Module):
    """A block-diagonal linear map: block b of the output depends only on block b of the input."""

    def __init__(self, blocks: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(blocks, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(blocks, 1, outputs))
        for block in self.weight:
            nn.init.xavier_uniform_(block)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, blocks, inputs)`` to ``(N, blocks, outputs)``."""
        return torch.baddbmm(self.bias, x.transpose(0, 1), self.weight).transpose(0, 1)


class SpatialAttention(nn.Module):
    """S-MHSA: attention among the eight parts of both hands within one time step.

    Each part has its own projections, which the two hands share because one is mirrored. Each head
    also learns a bias for every pair of parts, independent of the input.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = 1 / math.sqrt(channels // heads)
        self.query_key_value = BlockLinear(PARTS_PER_HAND, channels, 3 * channels)
        self.output = BlockLinear(PARTS_PER_HAND, channels, channels)
        self.bias = nn.Parameter(torch.zeros(heads, PARTS, PARTS))  # [head, key, query]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Attend over parts.

        Args:
            x: ``(N, parts, c)``, one row per time step.

        Returns:
            the result ``(N, parts, c)`` and the attention map ``(N, heads, parts, parts)``. Each
            row of the map holds the weights of one part over all parts.
        """
        mixed = self._by_part(self.query_key_value, x).unflatten(-1, (3, self.heads, -1))
        # (1, N, heads, parts, c / heads) each; the leading 1 adds no cost to exported graphs
        query, key, value = mixed.permute(2, 0, 3, 1, 4).chunk(3)
        scores = torch.add(self.bias, key @ query.transpose(-1, -2), alpha=self.scale)
        weights = scores.softmax(dim=-2)  # several times faster than with keys in columns
        attended = weights.to(value.dtype).transpose(-1, -2) @ value
        output = self._by_part(self.output, attended.transpose(-3, -2).reshape(x.shape))
        return output, weights[0].transpose(-1, -2)

    @staticmethod
    def _by_part(linear: BlockLinear, x: Tensor) -> Tensor:
        """Apply the map of each part to that part of both hands."""
        return linear(x.reshape(-1, PARTS_PER_HAND, x.shape[-1])).reshape(*x.shape[:2], -1)


class KeysValues(NamedTuple):
    """Keys and values of T-MHSA for S steps, each ``(1, N, heads, S, C / heads)``."""

    keys: Tensor
    values: Tensor


class TemporalAttention(nn.Module):
    """T-MHSA: attention over time with relative positions, within each group of channels.

    Scores are ``q k + (q + v) r[i - j]`` with a learned ``r`` for every distance (Shaw et al. 2018,
    arXiv:1803.02155); the bias ``v`` follows Dai et al. 2019, arXiv:1901.02860. Scores depend on
    the distance between two steps, not on their position in the clip.
    """

    def __init__(
        self, channels: int, heads: int, groups: int, max_distance: int, dropout: float
    ) -> None:
        super().__init__()
        self.heads, self.groups = heads, groups
        head_channels = channels // heads
        self.scale = 1 / math.sqrt(head_channels)
        self.query_key_value = BlockLinear(groups, channels // groups, 3 * channels // groups)
        self.output = BlockLinear(groups, channels // groups, channels // groups)
        self.relative = nn.Parameter(torch.randn(heads, 2 * max_distance + 1, head_channels) * 0.02)
        self.relative_bias = nn.Parameter(torch.zeros(heads, 1, head_channels))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, bias: Tensor, distance: Tensor, past: KeysValues | None = None
    ) -> tuple[Tensor, KeysValues]:
        """Attend over time.

        Args:
            x: ``(N, T, C)``.
            bias: ``(N, 1, T, S + T)``, see
                :func:`~whispersign_model.network.masking.attention_bias`.
            distance: ``(T, S + T)`` int64, see :func:`relative_positions`.
            past: keys and values of the S steps that precede ``x``.

        Returns:
            the result ``(N, T, C)``, and the keys and values of all S + T steps.
        """
        steps = x.shape[1]
        mixed = self.query_key_value(x.reshape(-1, self.groups, x.shape[-1] // self.groups))
        mixed = mixed.unflatten(-1, (3, self.heads // self.groups, -1)).unflatten(0, (-1, steps))
        query, key, value = mixed.permute(3, 0, 2, 4, 1, 5).flatten(2, 3).chunk(3)
        if past is not None:
            key = torch.cat([past.keys, key], dim=-2)
            value = torch.cat([past.values, value], dim=-2)
        table = (query + self.relative_bias) @ self.relative.transpose(-1, -2)
        relative = table.gather(-1, distance.expand(*table.shape[:-1], -1))
        scores = torch.add(bias, query @ key.transpose(-1, -2) + relative, alpha=self.scale)
        weights = self.dropout(scores.softmax(dim=-1)).to(value.dtype)
        attended = (
            (weights @ value).transpose(-3, -2).reshape(-1, self.groups, x.shape[-1] // self.groups)
        )
        return self.output(attended).reshape(x.shape), KeysValues(key, value)


def relative_positions(steps: int, furthest: int, device: torch.device, before: int = 0) -> Tensor:
    """Return the row of ``relative`` for each query and key, ``(steps, before + steps)`` int64.

    The keys are the ``before`` past steps followed by the steps of the queries.
    """
    key = torch.arange(before + steps, device=device)
    return (key[before:, None] - key).clamp(-furthest, furthest) + furthest


class CrossAttention(nn.Module):
    """Multi-head attention from one sequence to another, or to itself under a mask."""

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.scale = 1 / math.sqrt(channels // heads)
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.output = nn.Linear(channels, channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor, bias: Tensor) -> Tensor:
        """Let ``x (B, L, C)`` attend to ``memory (B, S, C)``; ``bias`` fits ``(B, 1, L, S)``."""
        query = self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        both = self.key_value(memory).unflatten(-1, (2, self.heads, -1))
        key, value = both.permute(2, 0, 3, 1, 4).unbind(0)
        scores = torch.add(bias, query @ key.transpose(-1, -2), alpha=self.scale)
        weights = self.dropout(scores.softmax(dim=-1)).to(value.dtype)
        return self.output((weights @ value).transpose(1, 2).flatten(2))
