# SPDX-License-Identifier: MIT
"""The hybrid loss: ``alpha * CTC + (1 - alpha) * attention``, in float32."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from whispersign_model.decoding.ctc import BLANK
from whispersign_model.network.decoder import AttentionDecoder
from whispersign_model.network.masking import valid_steps
from whispersign_model.network.model import Encoded


class Losses(NamedTuple):
    """Mean losses over a batch: the total to minimize, and its parts."""

    total: Tensor
    ctc: Tensor
    attention: Tensor


def ctc_loss(log_probs: Tensor, steps: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """Return the CTC loss per gloss, averaged over clips (Graves et al. 2006).

    Args:
        log_probs: ``(B, T', V)`` float32 log-probabilities.
        steps: ``(B,)`` number of valid steps.
        targets: ``(B, L)`` gloss ids, padded.
        target_lengths: ``(B,)`` number of glosses in each clip.
    """
    losses = functional.ctc_loss(
        log_probs.float().transpose(0, 1),
        targets,
        steps,
        target_lengths,
        blank=BLANK,
        reduction="none",
    )
    return (losses / target_lengths.clamp(min=1)).mean()


def attention_loss(
    log_probs: Tensor, targets: Tensor, target_lengths: Tensor, smoothing: float
) -> Tensor:
    """Return the label-smoothed cross entropy of the next gloss, averaged over glosses and ends.

    Args:
        log_probs: ``(B, L + 1, V)`` log-probabilities from :class:`AttentionDecoder`.
        targets: ``(B, L)`` gloss ids, padded.
        target_lengths: ``(B,)`` number of glosses in each clip.
        smoothing: probability mass that is spread evenly over the vocabulary.
    """
    _, following = AttentionDecoder.shifted(targets, target_lengths)
    inside = valid_steps(target_lengths + 1, following.shape[1])
    return (_smoothed(log_probs, following, smoothing) * inside).sum() / inside.sum()


def _smoothed(log_probs: Tensor, chosen: Tensor, smoothing: float) -> Tensor:
    """Return the cross entropy of ``chosen (...)`` under ``log_probs (..., V)``."""
    likelihood = log_probs.gather(-1, chosen[..., None]).squeeze(-1)
    return -(1 - smoothing) * likelihood - smoothing * log_probs.mean(dim=-1)


def hybrid_loss(ctc: Tensor, attention: Tensor, alpha: float) -> Losses:
    """Return ``alpha * ctc + (1 - alpha) * attention``; a part with weight 0 adds no gradient."""
    total = torch.zeros_like(ctc)
    if alpha > 0:
        total = total + alpha * ctc
    if alpha < 1:
        total = total + (1 - alpha) * attention
    return Losses(total, ctc.detach(), attention.detach())


def decoder_loss(
    decoder: AttentionDecoder,
    features: Tensor,
    lengths: Tensor,
    encoded: Encoded,
    targets: Tensor,
    target_lengths: Tensor,
    smoothing: float,
) -> Tensor:
    """Run the attention decoder with teacher forcing; return the mean loss over its memories."""
    previous, _ = decoder.shifted(targets, target_lengths)
    losses = [
        attention_loss(decoder(memory, steps, previous), targets, target_lengths, smoothing)
        for memory, steps in decoder.memories(features, lengths, encoded.states, encoded.lengths)
    ]
    return torch.stack(losses).mean()


def detection_loss(
    decoder: AttentionDecoder, features: Tensor, segments: Tensor, smoothing: float
) -> Tensor:
    """Return the label-smoothed cross entropy of the glosses, averaged over segments.

    Args:
        decoder: the decoder of a detection network.
        features: ``(B, T, 42, 7)`` normalized features.
        segments: ``(N, 4)``: row of the clip, first frame, frame after the last, and gloss id or 0.
        smoothing: probability mass that is spread evenly over the vocabulary.
    """
    log_probs = decoder.read_segments(features, segments[:, :3])
    return _smoothed(log_probs, segments[:, 3], smoothing).mean()
