# SPDX-License-Identifier: MIT
"""The utterance encoder: center a segment, resample it to a fixed length, and convolve it.

The duration and center of a sign are known only once it is over. That is too late for the streaming
encoder but in time for the attention decoder.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from whispersign_model.network.config import ModelConfig
from whispersign_model.skeleton import CONFIDENCE, HANDS, JOINTS, JOINTS_PER_HAND, POSITION, WRIST

COORDINATES = JOINTS * (POSITION.stop - POSITION.start)  # coordinates of all joints in one frame
DROPOUT = 0.3  # dropout after the convolutions, which overfit quickly


def whole(lengths: Tensor) -> Tensor:
    """Return a segment ``(B, 3)`` that spans each clip; see :func:`resample_segments`."""
    clips = torch.arange(lengths.shape[0], device=lengths.device)
    return torch.stack([clips, torch.zeros_like(lengths), lengths], dim=1)


def frames_seen(features: Tensor, segments: Tensor) -> Tensor:
    """Return ``(N, T)`` bool: True where a frame lies in the segment and shows a hand."""
    time = torch.arange(features.shape[1], device=features.device)
    inside = (time >= segments[:, 1:2]) & (time < segments[:, 2:3])
    hands = features[..., CONFIDENCE].amax(dim=-1) > 0
    return hands.index_select(0, segments[:, 0]) & inside


def resample_segments(features: Tensor, segments: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """Resample each segment, trimmed to frames with hands, to ``frames`` frames.

    A joint is interpolated linearly between two frames that track it. If only one of them tracks
    it, the nearer frame decides whether the joint counts as tracked.

    Args:
        features: ``(B, T, 42, 7)`` normalized features.
        segments: ``(N, 3)`` int64: row of the clip, first frame, and frame after the last.
        frames: number of frames in the result.

    Returns:
        positions ``(N, frames, 42, 3)``, 0 where not tracked, and a mask ``(N, frames, 42, 1)``
        that is 1 where a joint is tracked, else 0.
    """
    longest = features.shape[1]
    time = torch.arange(longest, device=features.device)
    seen = frames_seen(features, segments)
    last = torch.where(seen, time, -1).amax(dim=1).clamp(min=0)
    first = torch.where(seen, time, longest).amin(dim=1).minimum(last)
    way = torch.linspace(0, 1, frames, device=features.device)
    place = first[:, None] + (last - first)[:, None] * way
    before = place.floor().long()
    after = (before + 1).minimum(last[:, None])
    share = (place - before)[..., None, None].to(features.dtype)
    row = segments[:, :1] * longest
    flat = features.flatten(0, 1)
    one, other = (
        flat.index_select(0, (row + which).flatten()).unflatten(0, (-1, frames))
        for which in (before, after)
    )
    there, then = ((each[..., CONFIDENCE, None] > 0).to(features.dtype) for each in (one, other))
    tracked = torch.where(share < 0.5, there, then)
    weight = share * there * then + (1 - there)
    between = torch.lerp(one[..., POSITION], other[..., POSITION], weight)
    return between * tracked, tracked


def centred(positions: Tensor, tracked: Tensor) -> Tensor:
    """Return positions relative to the mean position of all wrists in the segment.

    Args:
        positions: ``(N, F, 42, 3)``, joints relative to their wrist, as in normalized features.
        tracked: ``(N, F, 42, 1)``, 1 where a joint is tracked, else 0.
    """
    hands = positions.unflatten(2, (len(HANDS), JOINTS_PER_HAND))
    known = tracked.unflatten(2, (len(HANDS), JOINTS_PER_HAND))
    wrists, there = hands[..., WRIST, :], known[..., WRIST, :]
    counted = there.sum(dim=(1, 2), keepdim=True).clamp(min=1)
    wrists = (wrists - wrists.sum(dim=(1, 2), keepdim=True) / counted)[..., None, :]
    joints = torch.cat([wrists, hands[..., WRIST + 1 :, :] + wrists], dim=-2)
    return (joints * known).flatten(2, 3)


def movements(positions: Tensor, tracked: Tensor) -> Tensor:
    """Return each joint's displacement to the next frame ``(N, F, 42, 3)``, 0 if untracked."""
    ways = (positions[:, 1:] - positions[:, :-1]) * tracked[:, 1:] * tracked[:, :-1]
    return functional.pad(ways, (0, 0, 0, 0, 0, 1))


class _Convolution(nn.Sequential):
    """Convolution over time, BatchNorm and leaky ReLU: ``(B, inputs, F) -> (B, outputs, F)``."""

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__(
            nn.Conv1d(inputs, outputs, width, padding=width // 2, bias=False),
            nn.BatchNorm1d(outputs),
            nn.LeakyReLU(0.2),
        )


class UtteranceEncoder(nn.Module):
    """Encodes a segment of any length and position as a fixed number of tokens.

    The design follows DD-Net (Yang et al. 2019, arXiv:1907.09658), with joint positions instead of
    joint distances. Three branches process the positions, the motion, and the motion at half the
    frame rate; further convolutions combine the three.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.frames = config.decoder.utterance_frames
        width, dropout = config.frontend.d_model // 4, config.decoder.dropout

        def way() -> nn.Sequential:
            sizes = ((COORDINATES, 2 * width, 1), (2 * width, width, 3), (width, width, 1))
            parts = [(_Convolution(*size), nn.Dropout1d(dropout)) for size in sizes]
            return nn.Sequential(*(part for pair in parts for part in pair))

        def pooled(inputs: int, outputs: int) -> nn.Sequential:
            return nn.Sequential(
                _Convolution(inputs, outputs, 3),
                _Convolution(outputs, outputs, 3),
                nn.Dropout1d(dropout),
                nn.MaxPool1d(2),
            )

        self.places, self.slow, self.fast = way(), way(), way()
        self.together = nn.Sequential(pooled(3 * width, 4 * width), pooled(4 * width, 8 * width))
        self.dropout = nn.Dropout(DROPOUT)
        self.project = nn.Linear(8 * width, config.frontend.d_model)
        self.norm = nn.LayerNorm(config.frontend.d_model)

    def forward(self, features: Tensor, segments: Tensor) -> Tensor:
        """Return tokens ``(N, tokens, d_model)`` for segments; see :func:`resample_segments`."""
        positions, tracked = resample_segments(features, segments, self.frames)
        places = centred(positions, tracked)
        slow = movements(places, tracked)
        fast = movements(places[:, ::2], tracked[:, ::2])
        by_time = [each.flatten(2).transpose(1, 2) for each in (places, slow, fast)]
        ways = [
            functional.max_pool1d(self.places(by_time[0]), 2),
            functional.max_pool1d(self.slow(by_time[1]), 2),
            self.fast(by_time[2]),
        ]
        found = self.together(torch.cat(ways, dim=1)).transpose(1, 2)
        output: Tensor = self.norm(self.project(self.dropout(found)))
        return output
