# SPDX-License-Identifier: MIT
"""The two decoders: a CTC head, and a causal Transformer that rescores or detects."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from whispersign_model.network.attention import CrossAttention
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.encoder import FeedForward
from whispersign_model.network.masking import attention_bias, valid_steps
from whispersign_model.network.utterance import UtteranceEncoder, frames_seen, whole

LEAST_SEEN = 0.3  # a segment needs hands in this share of its frames to be a sign


class CTCHead(nn.Module):
    """First pass: log-probabilities of the blank and the glosses at each step (Graves et al. 2006).

    A sigmoid decides whether there is a gloss, and a softmax decides which one (Variani et al.
    2020, arXiv:2003.07705). With a single softmax, the blank soon takes almost all the probability,
    and the glosses receive no gradient that separates them.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.project = nn.Linear(config.frontend.d_model, config.decoder.vocab_size)

    def forward(self, states: Tensor) -> Tensor:
        """Map states ``(B, T', d_model)`` to float32 log-probabilities ``(B, T', V)``."""
        weight, bias = self.project.weight, self.project.bias
        blank = functional.linear(states, weight[:1], bias[:1]).float()
        glosses = functional.linear(states, weight[1:], bias[1:]).float()
        # Some runtimes compute logsigmoid as the log of a rounded sigmoid, which is off by tenths.
        # Softplus is exact.
        gloss = glosses.log_softmax(dim=-1) - functional.softplus(blank)
        return torch.cat([-functional.softplus(-blank), gloss], dim=-1)


class DecoderBlock(nn.Module):
    """A pre-norm block: causal self-attention, cross-attention and feed-forward."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels, heads = config.frontend.d_model, config.encoder.num_heads
        dropout = config.decoder.dropout
        self.self_norm = nn.LayerNorm(channels)
        self.self_attention = CrossAttention(channels, heads, dropout)
        self.cross_norm = nn.LayerNorm(channels)
        self.cross_attention = CrossAttention(channels, heads, dropout)
        self.feed_forward_norm = nn.LayerNorm(channels)
        self.feed_forward = FeedForward(channels, config.encoder.d_ff, 1, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor, causal: Tensor, present: Tensor) -> Tensor:
        """Process ``x (B, L, d)`` with ``memory (B, T', d)``; biases fit ``(B, 1, L, ...)``."""
        normed = self.self_norm(x)
        x = x + self.dropout(self.self_attention(normed, normed, causal))
        x = x + self.dropout(self.cross_attention(self.cross_norm(x), memory, present))
        return x + self.feed_forward(self.feed_forward_norm(x))


class AttentionDecoder(nn.Module):
    """Second pass: the probability of a gloss sequence given an utterance.

    The decoder attends to the encoder's states and, if configured, to the whole utterance as a
    second, separate memory. In a detection network, it classifies candidate segments instead. Id 0,
    the CTC blank, marks the start and the end of a sequence; for a segment, it means that nothing
    is signed.
    """

    BOUNDARY = 0

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.channels = config.frontend.d_model
        self.embedding = nn.Embedding(config.decoder.vocab_size, self.channels)
        nn.init.normal_(self.embedding.weight, std=1 / math.sqrt(self.channels))
        self.dropout = nn.Dropout(config.decoder.dropout)
        self.blocks = nn.ModuleList(DecoderBlock(config) for _ in range(config.decoder.num_layers))
        self.norm = nn.LayerNorm(self.channels)
        self.project = nn.Linear(self.channels, config.decoder.vocab_size)
        self.utterance = UtteranceEncoder(config) if config.decoder.utterance_frames else None
        self.detects = config.decoder.detects

    def memories(
        self, features: Tensor, lengths: Tensor, states: Tensor, steps: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """Return the decoder's memories for a padded batch, with their lengths.

        Args:
            features: ``(B, T, 42, 7)`` normalized features.
            lengths: ``(B,)`` number of frames in each clip.
            states: ``(B, T', d)`` encoder states.
            steps: ``(B,)`` number of steps in each clip.

        Returns:
            the tokens ``(B, S, d)`` and lengths ``(B,)`` of each memory: the encoder's states and,
            if configured, the whole utterance.
        """
        if self.utterance is None or self.detects:
            return [(states, steps)]
        tokens = self.utterance(features, whole(lengths))
        return [(states, steps), (tokens, torch.full_like(steps, tokens.shape[1]))]

    def read_segments(self, features: Tensor, segments: Tensor) -> Tensor:
        """Return the log-probabilities ``(N, V)`` of the glosses in each segment; id 0 is no sign.

        Args:
            features: ``(B, T, 42, 7)`` normalized features.
            segments: ``(N, 3)`` int64: row of the clip, first frame, and frame after the last.
        """
        assert self.utterance is not None, "a network without decoder.utterance_frames"
        tokens = self.utterance(features, segments)
        lengths = torch.full_like(segments[:, 0], tokens.shape[1])
        start = torch.full_like(segments[:, :1], self.BOUNDARY)
        first: Tensor = self(tokens, lengths, start)[:, 0]
        return first

    def score_segments(self, features: Tensor, segments: Tensor) -> Tensor:
        """Return :meth:`read_segments`, but with no sign in segments that hardly show a hand."""
        log_probs = self.read_segments(features, segments)
        frames = (segments[:, 2] - segments[:, 1]).clamp(min=1)
        shown = frames_seen(features, segments).sum(dim=1) >= LEAST_SEEN * frames
        nothing = torch.full_like(log_probs, -math.inf)
        nothing[:, self.BOUNDARY] = 0
        return torch.where(shown[:, None], log_probs, nothing)

    def forward(self, memory: Tensor, memory_lengths: Tensor, previous: Tensor) -> Tensor:
        """Return the log-probabilities of each next gloss.

        Args:
            memory: ``(B, S, d)``, one of :meth:`memories`.
            memory_lengths: ``(B,)`` number of tokens in each memory.
            previous: ``(B, L)`` gloss ids that start with ``BOUNDARY``; padding may follow.

        Returns:
            ``(B, L, V)`` float32 log-probabilities of the gloss after each position.
        """
        length = previous.shape[1]
        x = self.embedding(previous) * math.sqrt(self.channels) + self._positions(previous)
        x = self.dropout(x)
        past = torch.ones(length, length, dtype=torch.bool, device=x.device).tril()
        causal = attention_bias(past)
        present = attention_bias(valid_steps(memory_lengths, memory.shape[1]))[:, None, None]
        for block in self.blocks:
            x = block(x, memory, causal, present)
        return self.project(self.norm(x)).float().log_softmax(dim=-1)

    def score(
        self, memory: Tensor, memory_lengths: Tensor, targets: Tensor, target_lengths: Tensor
    ) -> Tensor:
        """Return log P(targets, end | memory), ``(B,)``, of padded ``targets (B, L)``."""
        previous, following = self.shifted(targets, target_lengths)
        log_probs = self(memory, memory_lengths, previous)
        chosen = log_probs.gather(-1, following[..., None]).squeeze(-1)
        return (chosen * valid_steps(target_lengths + 1, chosen.shape[1])).sum(dim=-1)

    def mean_score(
        self, memories: Sequence[tuple[Tensor, Tensor]], targets: Tensor, target_lengths: Tensor
    ) -> Tensor:
        """Return the mean :meth:`score`, ``(B,)``, over all :meth:`memories`."""
        scores = [self.score(*memory, targets, target_lengths) for memory in memories]
        return torch.stack(scores).mean(dim=0)

    @classmethod
    def shifted(cls, targets: Tensor, target_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return decoder inputs ``(B, L + 1)`` with a start, and outputs with an end."""
        inside = valid_steps(target_lengths, targets.shape[1])
        clean = torch.where(inside, targets, torch.full_like(targets, cls.BOUNDARY))
        boundary = clean.new_full((clean.shape[0], 1), cls.BOUNDARY)
        return torch.cat([boundary, clean], dim=1), torch.cat([clean, boundary], dim=1)

    def _positions(self, ids: Tensor) -> Tensor:
        """Return sinusoidal position encodings ``(L, d)`` (Vaswani et al. 2017)."""
        position = torch.arange(ids.shape[1], device=ids.device, dtype=torch.float32)[:, None]
        half = torch.arange(self.channels // 2, device=ids.device, dtype=torch.float32)
        angle = position * torch.exp(half * (-math.log(10000.0) / (self.channels // 2)))
        return torch.cat([angle.sin(), angle.cos()], dim=-1)
