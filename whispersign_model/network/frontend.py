# SPDX-License-Identifier: MIT
"""The frontend: patch embedding of hand parts, then ConvSPE, BatchNorm and SpatialDropout1D."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from whispersign_model.network.config import PARTS, PARTS_PER_HAND, ModelConfig
from whispersign_model.network.masking import valid_steps
from whispersign_model.skeleton import (
    CONFIDENCE,
    FEATURES,
    FINGERS,
    HANDS,
    JOINTS_PER_HAND,
    VELOCITY,
    WRIST,
)

# Joints of each hand part. Each fingertip belongs to one part; the palm shares the MCP joints.
PART_JOINTS = (
    FINGERS["thumb"],
    (*FINGERS["index"], *FINGERS["middle"]),
    (*FINGERS["ring"], *FINGERS["pinky"]),
    (WRIST, *(FINGERS[finger][0] for finger in FINGERS)),
)


def patch_count(lengths: Tensor, patch_size: int) -> Tensor:
    """Return the number of patches in ``lengths`` frames; the last one may be incomplete."""
    return torch.div(lengths + patch_size - 1, patch_size, rounding_mode="floor")


def whole_patches(features: Tensor, lengths: Tensor, patch_size: int) -> Tensor:
    """Cut ``(B, T, 42, 7)`` into patches ``(B, T', P, 42, 7)``, padded with each last frame.

    The content of the batch's padding is never read.
    """
    batch, frames = features.shape[:2]
    steps = -(-frames // patch_size) * patch_size
    time = torch.arange(steps, device=features.device).minimum(lengths[:, None] - 1)
    rows = time + torch.arange(batch, device=features.device)[:, None] * frames
    whole = features.flatten(0, 1).index_select(0, rows.flatten())
    return whole.unflatten(0, (batch, -1, patch_size))


class PatchEmbedding(nn.Module):
    """Embeds each patch of ``P`` frames as one token per part of each hand.

    The left hand is mirrored (x and vx change sign), so both hands share one set of weights, and a
    one-handed sign can use the full capacity with either hand.
    """

    columns: Tensor
    mirror: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        patch_size = config.frontend.patch_size
        self.sizes = [patch_size * len(joints) * FEATURES for joints in PART_JOINTS]
        self.parts = nn.ModuleList(nn.Linear(size, config.part_channels) for size in self.sizes)
        # Indices of each part's values in a flat patch, with the left hand before the right.
        place = torch.arange(patch_size * len(HANDS) * JOINTS_PER_HAND * FEATURES)
        place = place.view(patch_size, len(HANDS), JOINTS_PER_HAND, FEATURES)
        columns = [
            place[:, hand, list(joints)].flatten()
            for hand in range(len(HANDS))
            for joints in PART_JOINTS
        ]
        self.register_buffer("columns", torch.cat(columns), persistent=False)
        across = (self.columns % FEATURES == 0) | (self.columns % FEATURES == VELOCITY.start)
        left = torch.arange(len(self.columns)) < sum(self.sizes)
        self.register_buffer("mirror", 1.0 - 2.0 * (across & left), persistent=False)

    def forward(self, patches: Tensor) -> Tensor:
        """Map ``(B, T', P, 42, 7)`` to ``(B, T', hands, 4 * c)``: a hand's parts side by side."""
        flat = patches.flatten(0, 1).flatten(1).index_select(1, self.columns)
        rows = (flat * self.mirror.to(flat.dtype)).view(-1, sum(self.sizes))  # one row per hand
        tokens = [embed(part) for embed, part in zip(self.parts, rows.split(self.sizes, dim=-1))]
        return torch.cat(tokens, dim=-1).unflatten(0, (*patches.shape[:2], len(HANDS)))


class ConvSPE(nn.Module):
    """A convolutional position encoding: depthwise in time, pointwise over parts."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.depthwise = nn.Parameter(torch.empty(channels, kernel_size))
        self.depthwise_bias = nn.Parameter(torch.zeros(channels))
        nn.init.normal_(self.depthwise, std=1 / math.sqrt(kernel_size))
        self.pointwise = nn.Linear(channels, channels)

    def forward(self, x: Tensor, past: Tensor | None = None) -> Tensor:
        """Add the encoding to ``x (N, T, C)``; step t depends only on steps up to t.

        ``past (N, kernel_size - 1, C)`` holds the steps before ``x``; it is 0 at the start of a
        clip.
        """
        if past is None:
            padded = functional.pad(x, (0, 0, self.kernel_size - 1, 0))
            mixed: Tensor = self.depthwise_bias
            for delay in range(self.kernel_size):  # faster in training than a general convolution
                mixed = mixed + padded[:, delay : delay + x.shape[1]] * self.depthwise[:, delay]
        else:
            kernel, channels = self.depthwise[:, None], x.shape[-1]
            padded = torch.cat([past, x], dim=1).transpose(1, 2)
            mixed = functional.conv1d(padded, kernel, self.depthwise_bias, groups=channels)
            mixed = mixed.transpose(1, 2)
        return x + self.pointwise(functional.gelu(mixed))


class ValidBatchNorm(nn.BatchNorm1d):
    """BatchNorm over the rows with a tracked hand, without padding and absent hands."""

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """Normalize ``(N, C)``; the result is 0 where ``valid (N,)`` is False."""
        assert valid is not None
        if not self.training:
            return super().forward(x) * valid[:, None]
        normalised = torch.zeros_like(x)
        rows = x[valid]
        if len(rows) > 1:  # a single row has no variance
            normalised[valid] = super().forward(rows).to(x.dtype)
        return normalised


class Frontend(nn.Module):
    """The frontend: patch embedding, ConvSPE, BatchNorm and SpatialDropout1D."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels = config.part_channels * PARTS_PER_HAND
        self.patch_size = config.frontend.patch_size
        self.patches = PatchEmbedding(config)
        self.conv_spe = ConvSPE(channels, config.frontend.kernel_size)
        self.norm = ValidBatchNorm(channels)
        self.spatial_dropout = nn.Dropout1d(config.frontend.dropout)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Embed a padded batch.

        Args:
            features: ``(B, T, 42, 7)`` normalized features.
            lengths: ``(B,)`` number of frames in each clip, at least 1.

        Returns:
            the tokens ``(B, T', parts, c)`` with ``T' = ceil(T / P)``, and the lengths of the clips
            in patches ``(B,)``. The parts of the left hand come first. Tokens are zero where a hand
            is not tracked and after the end of each clip.
        """
        steps = patch_count(lengths, self.patch_size)
        patches = whole_patches(features, lengths, self.patch_size)
        x, tracked = self._embed(patches)
        present = (tracked & valid_steps(steps, patches.shape[1])[:, None]).flatten(0, 1)
        return self._encode(x * present[..., None], present), steps

    def step(self, patches: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Embed the next patches of one clip.

        Args:
            patches: ``(1, K, P, 42, 7)``, without padding.
            past: ``(hands, kernel_size - 1, C)``, the last inputs of ConvSPE; 0 at the start of a
                clip.

        Returns:
            the tokens ``(1, K, parts, c)``, and ``past`` for the next patches.
        """
        x, tracked = self._embed(patches)
        present = tracked.flatten(0, 1)
        x = x * present[..., None]
        return self._encode(x, present, past), torch.cat([past, x], dim=1)[:, x.shape[1] :]

    def _embed(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return embeddings ``(B * hands, T', C)``, and tracked hands ``(B, hands, T')``."""
        hands = patches.unflatten(-2, (len(HANDS), JOINTS_PER_HAND))
        tracked = hands[..., CONFIDENCE].amax(dim=(2, 4)) > 0  # (B, T', hands)
        return self.patches(patches).transpose(1, 2).flatten(0, 1), tracked.transpose(1, 2)

    def _encode(self, x: Tensor, present: Tensor, past: Tensor | None = None) -> Tensor:
        """Encode ``x (B * hands, T', C)`` as tokens ``(B, T', parts, c)``, 0 for absent hands."""
        x = self.conv_spe(x, past)
        x = self.norm(x.flatten(0, 1), present.flatten()).view(x.shape)
        x = self.spatial_dropout(x.transpose(1, 2)).transpose(1, 2)
        hands_side_by_side = x.unflatten(0, (-1, len(HANDS))).transpose(1, 2).flatten(2)
        return hands_side_by_side.unflatten(-1, (PARTS, -1))
