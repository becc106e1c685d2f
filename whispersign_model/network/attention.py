"""Attention as explicit matrix products: over hand parts, over time, and in the decoder."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from whispersign_model.network.config import PARTS_PER_HAND
from whispersign_model.network.masking import masked_softmax
from whispersign_model.skeleton import HANDS

PARTS = PARTS_PER_HAND * len(HANDS)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """``(..., T, C) -> (..., heads, T, C / heads)``."""
    return x.unflatten(-1, (heads, -1)).transpose(-3, -2)


def join_heads(x: Tensor) -> Tensor:
    """``(..., heads, T, c) -> (..., T, heads * c)``."""
    return x.transpose(-3, -2).flatten(-2)


class PartLinear(nn.Module):
    """One linear map a hand part, the same for both hands."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(PARTS_PER_HAND, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(PARTS_PER_HAND, outputs))
        for part in self.weight:
            nn.init.xavier_uniform_(part)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, hands, parts, inputs) -> (N, hands, parts, outputs)``."""
        steps, hands = x.shape[:2]
        by_part = x.flatten(0, 1).transpose(0, 1)  # (parts, N * hands, inputs)
        y = torch.baddbmm(self.bias[:, None].to(x.dtype), by_part, self.weight.to(x.dtype))
        return y.transpose(0, 1).unflatten(0, (steps, hands))


class SpatialAttention(nn.Module):
    """S-MHSA: the eight parts of both hands attend to each other within one time step.

    Every part has its own projections, shared between the (mirrored) hands; a learned bias for
    each head and pair of parts says who listens to whom before anything is seen.
    """

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        part_channels = channels // PARTS_PER_HAND
        self.scale = 1 / math.sqrt(part_channels // heads)
        self.query_key_value = PartLinear(part_channels, 3 * part_channels)
        self.output = PartLinear(part_channels, part_channels)
        self.bias = nn.Parameter(torch.zeros(heads, PARTS, PARTS))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Attend over parts.

        Args:
            x: ``(B, T, hands, C)``.

        Returns:
            ``(B, T, hands, C)`` and the attention map ``(B, T, heads, parts, parts)``.
        """
        batch, steps, hands, _ = x.shape
        tokens = x.flatten(0, 1).unflatten(-1, (PARTS_PER_HAND, -1))  # (N, hands, 4, c)
        mixed = self.query_key_value(tokens).flatten(1, 2)  # (N, parts, 3c)
        query, key, value = (split_heads(part, self.heads) for part in mixed.chunk(3, dim=-1))
        scores = query @ key.transpose(-1, -2) * self.scale + self.bias.to(query.dtype)
        weights = scores.float().softmax(dim=-1).to(value.dtype)
        attended = join_heads(self.dropout(weights) @ value)  # (N, parts, c)
        output = self.output(attended.unflatten(1, (hands, PARTS_PER_HAND)))
        return output.flatten(-2).unflatten(0, (batch, steps)), weights.unflatten(0, (batch, steps))


class TemporalAttention(nn.Module):
    """T-MHSA: each hand's stream attends over time with relative positions.

    Scores are ``q k + (q + v) r[i - j]`` with a learned ``r`` for every distance (Shaw et al. 2018,
    arXiv:1803.02155; the bias ``v`` from Dai et al. 2019, arXiv:1901.02860), so they depend on how
    far apart two steps are and not on where the clip begins.
    """

    def __init__(self, channels: int, heads: int, max_distance: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.max_distance = max_distance
        head_channels = channels // heads
        self.scale = 1 / math.sqrt(head_channels)
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.output = nn.Linear(channels, channels)
        self.relative = nn.Parameter(torch.randn(heads, 2 * max_distance + 1, head_channels) * 0.02)
        self.relative_bias = nn.Parameter(torch.zeros(heads, 1, head_channels))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, allowed: Tensor) -> Tensor:
        """Attend over time.

        Args:
            x: ``(N, T, C)``, one row a hand of a clip.
            allowed: ``(N, 1, T, T)`` bool, True where query (row) may see key (column).

        Returns:
            ``(N, T, C)``.
        """
        query, key, value = (
            split_heads(part, self.heads) for part in self.query_key_value(x).chunk(3, dim=-1)
        )
        content = query @ key.transpose(-1, -2)
        scores = (content + self._relative_scores(query)) * self.scale
        weights = self.dropout(masked_softmax(scores, allowed))
        return self.output(join_heads(weights @ value))

    def _relative_scores(self, query: Tensor) -> Tensor:
        """``(N, heads, T, c) -> (N, heads, T, T)``: what distance alone contributes."""
        steps = query.shape[-2]
        position = torch.arange(steps, device=query.device)
        distance = (position[:, None] - position[None]).clamp(-self.max_distance, self.max_distance)
        bias = self.relative_bias.to(query.dtype)
        table = (query + bias) @ self.relative.to(query.dtype).transpose(-1, -2)
        index = (distance + self.max_distance).expand(*query.shape[:2], steps, steps)
        return table.gather(-1, index)


class CrossAttention(nn.Module):
    """Multi-head attention of one sequence over another (or over itself, under a mask)."""

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.scale = 1 / math.sqrt(channels // heads)
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.output = nn.Linear(channels, channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor, allowed: Tensor) -> Tensor:
        """``x (B, L, C)`` attends to ``memory (B, S, C)``; ``allowed`` fits (B, 1, L, S)."""
        query = split_heads(self.query(x), self.heads)
        key, value = (split_heads(part, self.heads) for part in self.key_value(memory).chunk(2, -1))
        weights = masked_softmax(query @ key.transpose(-1, -2) * self.scale, allowed)
        return self.output(join_heads(self.dropout(weights) @ value))
