"""Frontend: patches of hand-part tokens, then ConvSPE, BatchNorm and SpatialDropout1D."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from whispersign_model.network.config import PARTS_PER_HAND, ModelConfig
from whispersign_model.network.masking import valid_steps
from whispersign_model.skeleton import CONFIDENCE, FEATURES, FINGERS, HANDS, JOINTS_PER_HAND, WRIST

# Joints of each part of a hand. A fingertip belongs to one part only; the palm shares the knuckles.
PART_JOINTS = (
    FINGERS["thumb"],
    (*FINGERS["index"], *FINGERS["middle"]),
    (*FINGERS["ring"], *FINGERS["pinky"]),
    (WRIST, *(FINGERS[finger][0] for finger in FINGERS)),
)
PART_NAMES = ("thumb", "index+middle", "ring+pinky", "palm")


def patch_count(lengths: Tensor, patch_size: int) -> Tensor:
    """Patches that ``lengths`` frames make; the last one may be incomplete."""
    return torch.div(lengths + patch_size - 1, patch_size, rounding_mode="floor")


class PatchEmbedding(nn.Module):
    """Temporal patches of ``P`` frames: one token for each part of each hand.

    The left hand is mirrored (x and vx change sign), so that both hands look alike and one set of
    weights serves them: a one-handed sign has the whole capacity whichever hand makes it.
    """

    mirror: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.patch_size = config.frontend.patch_size
        part_channels = config.hand_channels // PARTS_PER_HAND
        self.parts = nn.ModuleList(
            nn.Linear(self.patch_size * len(joints) * FEATURES, part_channels)
            for joints in PART_JOINTS
        )
        mirror = torch.ones(len(HANDS), 1, FEATURES)
        mirror[HANDS.index("left"), :, [0, 3]] = -1
        self.register_buffer("mirror", mirror, persistent=False)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Embed ``(B, T, 42, 7)`` with lengths ``(B,)``; the last frame fills up the last patch.

        Returns:
            tokens ``(B, ceil(T / P), hands, C)``, and bool ``(B, ceil(T / P), hands)``: True
            where the hand was tracked in any frame of the patch.
        """
        steps = -(-features.shape[1] // self.patch_size) * self.patch_size
        time = torch.arange(steps, device=lengths.device)[None].minimum(lengths[:, None] - 1)
        features = features.gather(1, time[..., None, None].expand(-1, -1, *features.shape[2:]))
        hands = features.unflatten(2, (len(HANDS), JOINTS_PER_HAND)) * self.mirror
        patches = hands.unflatten(1, (-1, self.patch_size)).transpose(2, 3)
        tokens = [
            embed(patches[..., list(joints), :].flatten(-3))
            for embed, joints in zip(self.parts, PART_JOINTS)
        ]
        inside = valid_steps(patch_count(lengths, self.patch_size), patches.shape[1])
        tracked = (patches[..., CONFIDENCE] > 0).flatten(-2).any(dim=-1) & inside[..., None]
        return torch.cat(tokens, dim=-1), tracked


class ConvSPE(nn.Module):
    """Convolutional spatial-positional encoding: depthwise in time, pointwise over parts."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.past = kernel_size - 1
        self.depthwise = nn.Conv1d(channels, channels, kernel_size, groups=channels)
        self.pointwise = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, T) -> (N, C, T)``, the encoding added to ``x``; step t sees steps <= t."""
        mixed = self.depthwise(functional.pad(x, (self.past, 0)))
        return x + self.pointwise(functional.gelu(mixed))


class ValidBatchNorm(nn.BatchNorm1d):
    """BatchNorm that counts the steps in which there is a hand: no padding, no absence."""

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """``(N, C, T)`` with ``valid (N, T)`` bool ``-> (N, C, T)``, 0 where not valid."""
        assert valid is not None
        if not self.training:
            return super().forward(x) * valid[:, None]
        steps_first = x.transpose(1, 2)
        normalised = torch.zeros_like(steps_first)
        rows = steps_first[valid]
        if len(rows) > 1:  # one step has no variance to learn from
            normalised[valid] = super().forward(rows).to(x.dtype)
        return normalised.transpose(1, 2)


class Frontend(nn.Module):
    """Patch embedding -> ConvSPE -> BatchNorm -> SpatialDropout1D."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels = config.hand_channels
        self.patch_size = config.frontend.patch_size
        self.patches = PatchEmbedding(config)
        self.conv_spe = ConvSPE(channels, config.frontend.kernel_size)
        self.norm = ValidBatchNorm(channels)
        self.spatial_dropout = nn.Dropout1d(config.frontend.dropout)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Embed a padded batch.

        Args:
            features: ``(B, T, 42, 7)`` normalised features.
            lengths: ``(B,)`` frames in each clip.

        Returns:
            ``(B, T', hands, C)`` with ``T' = ceil(T / P)``, zero where a hand is not tracked and
            past each clip's end, and the clips' lengths in patches ``(B,)``.
        """
        tokens, tracked = self.patches(features, lengths)
        batch, _, hands, _ = tokens.shape
        tracked = tracked.transpose(1, 2).flatten(0, 1)  # (B * hands, T')
        stream = tokens.transpose(1, 2).flatten(0, 1).transpose(1, 2) * tracked[:, None]
        stream = self.spatial_dropout(self.norm(self.conv_spe(stream), tracked))
        tokens = stream.transpose(1, 2).unflatten(0, (batch, hands)).transpose(1, 2)
        return tokens, patch_count(lengths, self.patch_size)
