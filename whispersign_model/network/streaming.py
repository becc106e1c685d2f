# SPDX-License-Identifier: MIT
"""The cached step: encode the next patches of a clip with a state of fixed size.

Attention sees whole chunks and a bounded past; convolutions see only the past. Encoding chunk by
chunk, with the state from earlier chunks, therefore equals the offline pass under the same chunk
mask. Encoding a whole clip as one chunk equals the pass with full context.
"""

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from whispersign_model.network.attention import BlockLinear, KeysValues, TemporalAttention
from whispersign_model.network.config import PARTS_PER_HAND, ModelConfig
from whispersign_model.network.encoder import FeedForward
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.skeleton import HANDS


class StreamState(NamedTuple):
    """The state that encoding carries from chunk to chunk.

    Attributes:
        known: ``(1,)`` int64, the number of past steps, at most ``left_context``.
        tokens: ``(hands, kernel_size - 1, C)``, the last inputs of ConvSPE.
        memories: for each block in turn, the keys and then the values of T-MHSA, each ``(1, 1,
            heads, left_context, d_model / heads)``.
    """

    known: Tensor
    tokens: Tensor
    memories: tuple[Tensor, ...]


def initial_state(config: ModelConfig, device: torch.device) -> StreamState:
    """Return the state before the first patch of a clip."""
    encoder = config.encoder
    channels = config.part_channels * PARTS_PER_HAND
    head_channels = config.frontend.d_model // encoder.num_heads
    memory = (1, 1, encoder.num_heads, encoder.left_context, head_channels)
    return StreamState(
        torch.zeros(1, dtype=torch.long, device=device),
        torch.zeros(len(HANDS), config.frontend.kernel_size - 1, channels, device=device),
        tuple(torch.zeros(memory, device=device) for _ in range(2 * encoder.num_layers)),
    )


class EncoderStep(nn.Module):
    """Runs frontend, encoder and CTC head in evaluation mode, one chunk at a time."""

    def __init__(self, model: WhisperSignModel) -> None:
        super().__init__()
        self.frontend, self.encoder, self.ctc = model.frontend, model.encoder, model.ctc

    def forward(
        self, patches: Tensor, known: Tensor, tokens: Tensor, memories: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Encode one chunk.

        Args:
            patches: ``(K, P, 42, 7)`` normalized features, K >= 1.
            known: see :class:`StreamState`.
            tokens: see :class:`StreamState`.
            memories: see :class:`StreamState`.

        Returns:
            the CTC log-probabilities ``(K, V)``, the states ``(K, d_model)``, and the parts of the
            next state.
        """
        embedded, tokens = self.frontend.step(patches[None], tokens)
        past = [KeysValues(*pair) for pair in zip(memories[::2], memories[1::2])]
        states, kept = self.encoder.step(embedded, past, known)
        known = (known + patches.shape[0]).clamp(max=self.encoder.left_context)
        flat = (memory for pair in kept for memory in pair)
        return self.ctc(states)[0], states[0], known, tokens, *flat


class Rescorer(nn.Module):
    """Scores gloss sequences for one clip with the attention decoder."""

    def __init__(self, model: WhisperSignModel) -> None:
        super().__init__()
        self.decoder = model.decoder

    def forward(self, states: Tensor, sequences: Tensor, lengths: Tensor) -> Tensor:
        """Return log P(sequence | states), ``(N,)``.

        Args:
            states: ``(T', d_model)`` encoder states of the clip.
            sequences: ``(N, L)`` int64 gloss ids, L >= 1; padding may follow a sequence.
            lengths: ``(N,)`` int64 number of glosses in each sequence.
        """
        steps = torch.full_like(lengths[:1], states.shape[0])
        return self.decoder.score(states[None], steps, sequences, lengths)


class UtteranceRescorer(Rescorer):
    """A :class:`Rescorer` that also scores with the whole utterance and averages both scores."""

    def forward(  # type: ignore[override]
        self, states: Tensor, sequences: Tensor, lengths: Tensor, features: Tensor
    ) -> Tensor:
        """Return scores ``(N,)`` from the states and the clip's ``features (T, 42, 7)``."""
        frames = torch.full_like(lengths[:1], features.shape[0])
        steps = torch.full_like(lengths[:1], states.shape[0])
        memories = self.decoder.memories(features[None], frames, states[None], steps)
        return self.decoder.mean_score(memories, sequences, lengths)


class SegmentReader(nn.Module):
    """Classifies segments of one clip."""

    def __init__(self, model: WhisperSignModel) -> None:
        super().__init__()
        self.decoder = model.decoder

    def forward(self, features: Tensor, segments: Tensor) -> Tensor:
        """Return log-probabilities ``(N, V)``; see :meth:`WhisperSignModel.score_segments`."""
        return self.decoder.score_segments(features[None], functional.pad(segments, (1, 0)))


class SplitLinear(nn.Module):
    """A :class:`BlockLinear` as one plain product per block, whose weights runtimes can prepack."""

    def __init__(self, linear: BlockLinear) -> None:
        super().__init__()
        self.weights = nn.ParameterList(linear.weight.unbind(0))
        self.biases = nn.ParameterList(linear.bias[:, 0].unbind(0))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, blocks, inputs)`` to ``(N, blocks, outputs)``."""
        outputs = self.products(x.flatten(1).split(x.shape[-1], dim=1))
        return torch.cat(outputs, dim=1).unflatten(1, (len(outputs), -1))

    def products(self, blocks: Sequence[Tensor]) -> list[Tensor]:
        """Map each block ``(N, inputs)`` to ``(N, outputs)``."""
        each = zip(blocks, self.weights, self.biases)
        return [block @ weight + bias for block, weight, bias in each]


class SplitFeedForward(nn.Module):
    """A :class:`FeedForward` in evaluation mode whose blocks stay separate throughout."""

    def __init__(self, feed_forward: FeedForward) -> None:
        super().__init__()
        self.groups = feed_forward.groups
        self.widen = SplitLinear(feed_forward.widen)
        self.narrow = SplitLinear(feed_forward.narrow)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., C)`` to ``(..., C)``."""
        blocks = x.flatten(0, -2).chunk(self.groups, dim=-1)
        hidden = [functional.gelu(block) for block in self.widen.products(blocks)]
        return torch.cat(self.narrow.products(hidden), dim=-1).reshape(x.shape)


def with_plain_products(model: WhisperSignModel) -> WhisperSignModel:
    """Return an equivalent copy in a layout that runtimes evaluate faster.

    Each large BlockLinear becomes a :class:`SplitLinear`, and the weights of T-MHSA include the
    query scale.
    """
    plain = copy.deepcopy(model)
    for module in list(plain.modules()):
        if isinstance(module, TemporalAttention):
            scale_queries(module)
            for name in ("query_key_value", "output"):
                setattr(module, name, SplitLinear(getattr(module, name)))
        for name, child in list(module.named_children()):
            if isinstance(child, FeedForward):
                setattr(module, name, SplitFeedForward(child))
    return plain


@torch.no_grad()
def scale_queries(attention: TemporalAttention) -> None:
    """Fold the scale of the attention scores into the query weights."""
    linear = attention.query_key_value
    queries = linear.weight.shape[-1] // 3
    linear.weight[..., :queries].mul_(attention.scale)
    linear.bias[..., :queries].mul_(attention.scale)
    attention.relative_bias.mul_(attention.scale)
    attention.scale = 1.0
