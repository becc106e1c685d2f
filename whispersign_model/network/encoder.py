"""Encoder: pre-norm blocks of spatial attention, temporal attention and feed-forward."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from whispersign_model.network.attention import SpatialAttention, TemporalAttention
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.masking import FULL, chunk_mask, valid_steps
from whispersign_model.skeleton import HANDS


class EncoderOutput(NamedTuple):
    """What the encoder says of a batch.

    Attributes:
        states: ``(B, T', d_model)``, zero past each clip's end.
        lengths: ``(B,)`` steps (patches) in each clip.
        spatial_maps: per block ``(B, T', heads, parts, parts)``.
    """

    states: Tensor
    lengths: Tensor
    spatial_maps: tuple[Tensor, ...]


def feed_forward(channels: int, hidden: int, dropout: float) -> nn.Sequential:
    """Linear, GELU, linear; dropout after each."""
    return nn.Sequential(
        nn.Linear(channels, hidden),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, channels),
        nn.Dropout(dropout),
    )


class EncoderBlock(nn.Module):
    """S-MHSA within a step, T-MHSA and feed-forward along each hand; the hands share weights.

    The stream of a hand that is not tracked begins as zeros and fills up from the other hand
    through S-MHSA: a one-handed sign has both streams to work with.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels, encoder = config.hand_channels, config.encoder
        self.spatial_norm = nn.LayerNorm(channels)
        self.spatial = SpatialAttention(channels, encoder.num_heads, encoder.dropout)
        self.temporal_norm = nn.LayerNorm(channels)
        self.temporal = TemporalAttention(
            channels, encoder.num_heads, encoder.max_distance, encoder.dropout
        )
        self.feed_forward_norm = nn.LayerNorm(channels)
        self.feed_forward = feed_forward(channels, config.hand_d_ff, encoder.dropout)
        self.dropout = nn.Dropout(encoder.dropout)

    def forward(self, x: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, T, hands, C)``, ``allowed (B, T, T)`` -> the same shape and the spatial map."""
        mixed, spatial_map = self.spatial(self.spatial_norm(x))
        x = x + self.dropout(mixed)
        batch, _, hands, _ = x.shape
        streams = x.transpose(1, 2).flatten(0, 1)  # (B * hands, T, C)
        mask = allowed.repeat_interleave(hands, dim=0)[:, None]
        streams = streams + self.dropout(self.temporal(self.temporal_norm(streams), mask))
        streams = streams + self.feed_forward(self.feed_forward_norm(streams))
        return streams.unflatten(0, (batch, hands)).transpose(1, 2), spatial_map


class Encoder(nn.Module):
    """Blocks over both hands' streams, then one fused state of ``d_model`` channels a step."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.left_context = config.encoder.left_context
        self.blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.encoder.num_layers))
        channels = config.hand_channels
        self.fusion_norm = nn.LayerNorm(channels)
        self.fusion = nn.Linear(len(HANDS) * channels, config.frontend.d_model)
        self.norm = nn.LayerNorm(config.frontend.d_model)

    def forward(self, tokens: Tensor, lengths: Tensor, chunk: int = FULL) -> EncoderOutput:
        """Encode a padded batch of hand tokens.

        Args:
            tokens: ``(B, T', hands, C)`` from the frontend.
            lengths: ``(B,)`` steps in each clip.
            chunk: steps that become known together; 0 = the whole clip.
        """
        steps = tokens.shape[1]
        valid = valid_steps(lengths, steps)
        window = chunk_mask(steps, chunk, self.left_context, tokens.device)
        allowed = valid[:, None, :] & window[None]
        maps = []
        for block in self.blocks:
            tokens, spatial_map = block(tokens, allowed)
            maps.append(spatial_map)
        states = self.norm(self.fusion(self.fusion_norm(tokens).flatten(2)))
        return EncoderOutput(
            torch.where(valid[..., None], states, torch.zeros_like(states)), lengths, tuple(maps)
        )
