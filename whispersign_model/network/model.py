# SPDX-License-Identifier: MIT
"""The WhisperSign network: frontend, encoder, CTC head and attention decoder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from whispersign_model.arrays import Ints
from whispersign_model.decoding.detection import SegmentScorer
from whispersign_model.decoding.hypothesis import Hypothesis
from whispersign_model.decoding.search import DecodingOptions, Method, SecondPassScorer, decode
from whispersign_model.network.checkpoint import (
    CheckpointMetadata,
    checkpoint_files,
    read_trainable_metadata,
    write_checkpoint,
)
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.decoder import AttentionDecoder, CTCHead
from whispersign_model.network.encoder import Encoder
from whispersign_model.network.frontend import Frontend
from whispersign_model.network.masking import FULL
from whispersign_model.network.weights import read_weights

Scores = NDArray[np.floating[Any]]
Component = Literal["frontend", "encoder", "ctc", "decoder"]


class Encoded(NamedTuple):
    """The output of the encoder and the CTC head for a batch.

    Attributes:
        states: ``(B, T', d_model)`` encoder states.
        lengths: ``(B,)`` number of steps in each clip.
        log_probs: ``(B, T', V)`` float32 CTC log-probabilities; column 0 is the blank.
        frontend: ``(B, T', parts, c)`` output of the frontend, which stage 1 trains on.
    """

    states: Tensor
    lengths: Tensor
    log_probs: Tensor
    frontend: Tensor


class WhisperSignModel(nn.Module):
    """The WhisperSign network, which turns normalized features into glosses in two passes.

    Padding does not affect results: a clip gives the same output in a padded batch as alone.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.frontend = Frontend(config)
        self.encoder = Encoder(config)
        self.ctc = CTCHead(config)
        self.decoder = AttentionDecoder(config)

    def forward(self, features: Tensor, lengths: Tensor, chunk: int = FULL) -> Encoded:
        """Encode a padded batch.

        Args:
            features: ``(B, T, 42, 7)`` normalized features.
            lengths: ``(B,)`` number of frames in each clip, at least 1.
            chunk: number of patches in a chunk, for streaming; 0 means the whole clip.
        """
        tokens, steps = self.frontend(features, lengths)
        states, steps, _ = self.encoder(tokens, steps, chunk)
        return Encoded(states, steps, self.ctc(states), tokens)

    def spatial_attention(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """Return the S-MHSA map ``(B, T', heads, parts, parts)`` of each block."""
        maps: tuple[Tensor, ...] = self.encoder(*self.frontend(features, lengths)).spatial_maps
        return maps

    @torch.inference_mode()
    def decode(
        self,
        data: Tensor,
        lengths: Tensor,
        method: Method = "rescore",
        options: DecodingOptions | None = None,
        chunk: int = FULL,
    ) -> list[Hypothesis]:
        """Recognize each clip of a padded batch.

        Args:
            data: ``(B, T, 42, 7)`` normalized features.
            lengths: ``(B,)`` number of frames in each clip.
            method: "greedy" and "beam" use the CTC head; "rescore" adds the attention decoder.
            options: options for the search.
            chunk: as in :meth:`forward`.

        Returns:
            the best hypothesis of each clip, with its n-best list.
        """
        options = (options or DecodingOptions()).with_alpha(self.config.decoder.alpha)
        encoded = self(data, lengths, chunk)
        log_probs = encoded.log_probs.cpu().numpy()
        second_passes: Sequence[SecondPassScorer | None] = [None] * len(log_probs)
        if method == "rescore":
            second_passes = self.second_passes(data, lengths, encoded)
        return [
            decode(rows[:steps], method, options, second_pass)
            for rows, steps, second_pass in zip(log_probs, encoded.lengths.tolist(), second_passes)
        ]

    def second_passes(
        self, features: Tensor, lengths: Tensor, encoded: Encoded
    ) -> list[SecondPassScorer]:
        """Return the scorer of the second pass for each clip."""
        if not self.config.decoder.detects:
            return [
                partial(self.rescore, each) for each in self.memories(features, lengths, encoded)
            ]
        return [
            self.segment_scorer(features[row : row + 1, :frames])
            for row, frames in enumerate(lengths.tolist())
        ]

    def segment_scorer(self, features: Tensor) -> SegmentScorer:
        """Return a detection network's scorer for segments of a clip ``(1, T, 42, 7)``."""
        return self.config.segment_scorer(partial(self.score_segments, features))

    def memories(
        self, features: Tensor, lengths: Tensor, encoded: Encoded
    ) -> list[tuple[Tensor, ...]]:
        """Return the attention decoder's unpadded memories ``(1, S, d_model)`` of each clip.

        Args:
            features: ``(B, T, 42, 7)``, as passed to :meth:`forward`.
            lengths: ``(B,)``, as passed to :meth:`forward`.
            encoded: the output of :meth:`forward`.
        """
        read = self.decoder.memories(features, lengths, encoded.states, encoded.lengths)
        scores = [
            [row[None, :steps] for row, steps in zip(memory, valid.tolist())]
            for memory, valid in read
        ]
        return list(zip(*scores))

    @torch.inference_mode()
    def rescore(self, memories: Sequence[Tensor], hypotheses: Sequence[Sequence[int]]) -> Scores:
        """Return the decoder's log P(hypothesis | memory), ``(N,)``, averaged over memories.

        Args:
            memories: memories ``(1, S, d_model)`` of one clip; see :meth:`memories`.
            hypotheses: N sequences of gloss ids.
        """
        device = memories[0].device
        lengths = torch.tensor([len(ids) for ids in hypotheses], device=device)
        targets = torch.zeros(len(hypotheses), int(lengths.max()), dtype=torch.long, device=device)
        for row, ids in enumerate(hypotheses):
            targets[row, : len(ids)] = torch.as_tensor(ids, dtype=torch.long, device=device)
        repeated = [
            (memory.expand(len(hypotheses), -1, -1), torch.full_like(lengths, memory.shape[1]))
            for memory in memories
        ]
        return self.decoder.mean_score(repeated, targets, lengths).cpu().numpy()

    @torch.inference_mode()
    def score_segments(self, features: Tensor, segments: Ints) -> Scores:
        """Return log-probabilities ``(N, V)`` of the glosses in each segment; column 0 is no sign.

        Args:
            features: ``(1, T, 42, 7)``, one clip.
            segments: ``(N, 2)``: first frame and frame after the last.
        """
        places = functional.pad(torch.from_numpy(segments).to(features.device), (1, 0))
        return self.decoder.score_segments(features, places).cpu().numpy()

    def freeze(self, component: Component) -> None:
        """Stop training a component, including its BatchNorm statistics."""
        self._component(component).requires_grad_(False)

    def unfreeze(self, component: Component) -> None:
        """Resume training a component."""
        self._component(component).requires_grad_(True)

    def train(self, mode: bool = True) -> WhisperSignModel:
        """Set training mode; frozen components stay in evaluation mode."""
        super().train(mode)
        for component in (self.frontend, self.encoder, self.ctc, self.decoder):
            if not any(parameter.requires_grad for parameter in component.parameters()):
                component.eval()
        return self

    def parameter_count(self) -> int:
        """Return the number of weights."""
        return sum(parameter.numel() for parameter in self.parameters())

    def save_checkpoint(self, path: Path, metadata: CheckpointMetadata) -> None:
        """Write ``path/model.safetensors`` and ``path/model.json``, each atomically."""
        state = {
            name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()
        }
        write_checkpoint(path, state, metadata)

    @classmethod
    def load_checkpoint(cls, path: Path) -> tuple[WhisperSignModel, CheckpointMetadata]:
        """Load a checkpoint without running any code from it.

        Raises:
            CheckpointError: the checkpoint is damaged, has another version, or does not match its
                own configuration.
        """
        metadata = read_trainable_metadata(path)
        weights = checkpoint_files(path)[0]
        with torch.device("meta"):  # takes no memory, whatever the sizes
            outline = cls(metadata.config)
        state = read_weights(weights, outline.state_dict())
        model = cls(metadata.config)
        model.load_state_dict(state)
        return model.eval(), metadata

    def _component(self, name: Component) -> nn.Module:
        components = {"frontend", "encoder", "ctc", "decoder"}
        if name not in components:
            raise ValueError(f"no component {name!r}: choose one of {sorted(components)}")
        module: nn.Module = getattr(self, name)
        return module
