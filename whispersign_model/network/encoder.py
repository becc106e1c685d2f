# SPDX-License-Identifier: MIT
"""The encoder: pre-norm blocks of spatial attention, temporal attention and feed-forward."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from whispersign_model.network.attention import (
    BlockLinear,
    KeysValues,
    SpatialAttention,
    TemporalAttention,
    relative_positions,
)
from whispersign_model.network.config import GROUPS, PARTS, ModelConfig
from whispersign_model.network.masking import FULL, attention_bias, chunk_mask, valid_steps


class EncoderOutput(NamedTuple):
    """The encoder's output for a batch.

    Attributes:
        states: ``(B, T', d_model)`` states, zero after the end of each clip.
        lengths: ``(B,)`` number of steps (patches) in each clip.
        spatial_maps: the S-MHSA map ``(B, T', heads, parts, parts)`` of each block.
    """

    states: Tensor
    lengths: Tensor
    spatial_maps: tuple[Tensor, ...]


class FeedForward(nn.Module):
    """Two linear maps per group of channels with GELU in between, then dropout."""

    def __init__(self, channels: int, hidden: int, groups: int, dropout: float) -> None:
        super().__init__()
        self.groups = groups
        self.widen = BlockLinear(groups, channels // groups, hidden // groups)
        self.narrow = BlockLinear(groups, hidden // groups, channels // groups)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., C)`` to ``(..., C)``."""
        hidden = functional.gelu(self.widen(x.reshape(-1, self.groups, x.shape[-1] // self.groups)))
        return self.dropout(self.narrow(hidden).reshape(x.shape))


class EncoderBlock(nn.Module):
    """An encoder block: S-MHSA over hand parts, T-MHSA over time, then feed-forward.

    S-MHSA shares its weights between the two hands, one of which is mirrored, and mixes all
    channels of all parts. T-MHSA and feed-forward work on groups of channels, each with a share of
    every part. Every group sees both hands, so a one-handed sign can also use the channels of the
    absent hand.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels, encoder = config.frontend.d_model, config.encoder
        self.spatial_norm = nn.LayerNorm(channels)
        self.spatial = SpatialAttention(config.part_channels, encoder.num_heads)
        self.temporal_norm = nn.LayerNorm(channels)
        self.temporal = TemporalAttention(
            channels, encoder.num_heads, GROUPS, encoder.max_distance, encoder.dropout
        )
        self.feed_forward_norm = nn.LayerNorm(channels)
        self.feed_forward = FeedForward(channels, encoder.d_ff, GROUPS, encoder.dropout)
        self.dropout = nn.Dropout(encoder.dropout)

    def forward(
        self, x: Tensor, bias: Tensor, distance: Tensor, past: KeysValues | None = None
    ) -> tuple[Tensor, Tensor, KeysValues]:
        """Return the block's output, the spatial map, and the keys and values of T-MHSA.

        Args:
            x: ``(B, T', d_model)``, channels ordered by group, then part.
            bias: see :func:`~whispersign_model.network.masking.attention_bias`.
            distance: see :func:`~whispersign_model.network.attention.relative_positions`.
            past: keys and values of T-MHSA for the steps before ``x``.
        """
        tokens = by_part(self.spatial_norm(x))
        mixed, spatial_map = self.spatial(tokens.flatten(0, 1))
        x = x + self.dropout(by_group(mixed.view(tokens.shape)))
        attended, memory = self.temporal(self.temporal_norm(x), bias, distance, past)
        x = x + self.dropout(attended)
        x = x + self.feed_forward(self.feed_forward_norm(x))
        return x, spatial_map.unflatten(0, x.shape[:2]), memory


def by_part(x: Tensor) -> Tensor:
    """Reorder channels from groups ``(B, T', d)`` to tokens ``(B, T', parts, d / parts)``."""
    return x.unflatten(-1, (GROUPS, PARTS, -1)).transpose(-3, -2).flatten(-2)


def by_group(tokens: Tensor) -> Tensor:
    """Reorder channels from tokens ``(B, T', parts, d / parts)`` to groups ``(B, T', d)``."""
    return tokens.unflatten(-1, (GROUPS, -1)).transpose(-3, -2).flatten(-3)


class Encoder(nn.Module):
    """A stack of :class:`EncoderBlock` over the parts of both hands."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.left_context = config.encoder.left_context
        self.max_distance = config.encoder.max_distance
        self.blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.encoder.num_layers))
        self.norm = nn.LayerNorm(config.frontend.d_model)

    def forward(self, tokens: Tensor, lengths: Tensor, chunk: int = FULL) -> EncoderOutput:
        """Encode a padded batch of part tokens.

        Args:
            tokens: ``(B, T', parts, c)`` from the frontend.
            lengths: ``(B,)`` number of steps in each clip.
            chunk: number of steps in a chunk; 0 means the whole clip.
        """
        steps = tokens.shape[1]
        valid = valid_steps(lengths, steps)
        window = chunk_mask(steps, chunk, self.left_context, tokens.device)
        bias = attention_bias(valid[:, None, :] & window)[:, None]
        distance = relative_positions(steps, self.max_distance, tokens.device)
        x = by_group(tokens)
        maps = []
        for block in self.blocks:
            x, spatial_map, _ = block(x, bias, distance)
            maps.append(spatial_map)
        return EncoderOutput(self.norm(x).where(valid[..., None], 0), lengths, tuple(maps))

    def step(
        self, tokens: Tensor, past: Sequence[KeysValues], known: Tensor
    ) -> tuple[Tensor, list[KeysValues]]:
        """Encode the next chunk of one clip.

        Args:
            tokens: ``(1, K, parts, c)`` from the frontend.
            past: keys and values of ``left_context`` steps, for each block.
            known: ``(1,)`` int64, the number of these steps that are real; real steps come last.

        Returns:
            the states ``(1, K, d_model)``, and ``past`` for the next chunk.
        """
        steps, before = tokens.shape[1], self.left_context
        age = torch.arange(before + steps, 0, -1, device=tokens.device) - steps
        bias = attention_bias(age <= known)
        distance = relative_positions(steps, self.max_distance, tokens.device, before)
        x = by_group(tokens)
        memories = []
        for block, before_it in zip(self.blocks, past):
            x, _, memory = block(x, bias, distance, before_it)
            memories.append(KeysValues(*(part[..., -before:, :] for part in memory)))
        return self.norm(x), memories
