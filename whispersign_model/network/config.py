# SPDX-License-Identifier: MIT
"""The validated configuration of a network, from YAML or a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from whispersign_model.configuration import StrictModel, load_yaml, validate
from whispersign_model.datasets.short_clips import PATCH_SIZE
from whispersign_model.decoding.detection import ScoreSegments, SegmentScorer

SIZES = ("tiny", "base", "default", "large")
PARTS_PER_HAND = 4  # thumb; index + middle; ring + pinky; palm with the wrist's trajectory
PARTS = 2 * PARTS_PER_HAND
UTTERANCE_STEP = 8  # number of frames of a resampled utterance per token
GROUPS = 2  # number of groups of encoder channels, each with a share of every part

# Bounds far above every size in config/model, so that a checkpoint cannot ask for endless memory.
Patch = Annotated[int, Field(ge=1, le=64)]
Channels = Annotated[int, Field(ge=1, le=4096)]
Hidden = Annotated[int, Field(ge=1, le=16384)]
Layers = Annotated[int, Field(ge=1, le=48)]
Heads = Annotated[int, Field(ge=1, le=64)]
Patches = Annotated[int, Field(ge=1, le=1024)]
Segment = Annotated[int, Field(ge=1, le=256)]
MOST_SEGMENTS = 16  # lengths of candidate segments
Rate = Annotated[float, Field(ge=0, lt=1)]


class FrontendConfig(StrictModel):
    """Patches of frames and their positional encoding (ConvSPE).

    Attributes:
        num_joints: number of joints; the layout is MediaPipe's, and other skeletons must be
            converted.
        num_features: number of values per joint.
        patch_size: number of frames in a patch.
        d_model: number of channels in the encoder's states; a multiple of 8 times
            ``encoder.num_heads``.
        kernel_size: number of patches that ConvSPE spans: the current one and those before it.
        dropout: rate of SpatialDropout1D, which drops whole channels.
    """

    num_joints: Literal[42] = 42
    num_features: Literal[7] = 7
    patch_size: Patch = PATCH_SIZE
    d_model: Channels = 128
    kernel_size: Patch = 5
    dropout: Rate = 0.1


class EncoderConfig(StrictModel):
    """The encoder: blocks of S-MHSA, T-MHSA and feed-forward.

    Attributes:
        num_heads: number of heads in both S-MHSA and T-MHSA; must be even.
        num_layers: number of blocks.
        d_ff: number of hidden channels in the feed-forward, over both groups; must be even.
        dropout: dropout rate after each branch and in the attention weights of T-MHSA.
        left_context: number of patches before the chunk that a chunked pass attends to.
        max_distance: distance in patches at and beyond which all relative positions share one
            embedding.
    """

    num_heads: Heads = 4
    num_layers: Layers = 2
    d_ff: Hidden = 512
    dropout: Rate = 0.1
    left_context: Patches = 64
    max_distance: Patches = 32


class DecoderConfig(StrictModel):
    """The CTC head and the attention decoder, which rescores hypotheses or detects signs.

    Attributes:
        vocab_size: number of glosses plus the blank; training sets it from the dataset.
        blank_id: id of the CTC blank; gloss ids start at 1.
        num_layers: number of layers in the attention decoder.
        dropout: dropout rate in the attention decoder.
        utterance_frames: number of frames to which the decoder resamples the whole utterance as a
            second memory, for utterances of single signs; 0 disables it.
        alpha: weight of CTC relative to the decoder in rescoring; below 0.8, doubled signs are
            lost.
        candidate_segments: lengths, in patches, of the segments in which the network detects signs;
            requires ``utterance_frames``. ``[]`` makes the decoder rescore hypotheses instead.
        score_threshold: lowest probability that counts as a detected sign.
    """

    vocab_size: Annotated[int, Field(ge=2, le=100_000)] = 1296
    blank_id: Literal[0] = 0
    num_layers: Layers = 1
    dropout: Rate = 0.1
    utterance_frames: Annotated[int, Field(ge=0, le=256, multiple_of=UTTERANCE_STEP)] = 0
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.8
    candidate_segments: Annotated[tuple[Segment, ...], Field(max_length=MOST_SEGMENTS)] = ()
    score_threshold: Annotated[float, Field(ge=0, le=1)] = 0.5

    @property
    def detects(self) -> bool:
        """Whether the second pass detects signs rather than rescoring."""
        return bool(self.candidate_segments)

    @model_validator(mode="after")
    def _scorer_needs_frames(self) -> DecoderConfig:
        if self.candidate_segments and not self.utterance_frames:
            raise ValueError("candidate_segments need utterance_frames, their common length")
        return self


class ModelConfig(StrictModel):
    """The configuration of a :class:`~whispersign_model.network.model.WhisperSignModel`."""

    frontend: FrontendConfig = FrontendConfig()
    encoder: EncoderConfig = EncoderConfig()
    decoder: DecoderConfig = DecoderConfig()

    @model_validator(mode="after")
    def _consistent(self) -> ModelConfig:
        frontend, heads = self.frontend, self.encoder.num_heads
        if frontend.d_model % (PARTS * heads) or heads % GROUPS:
            raise ValueError(
                f"frontend.d_model {frontend.d_model} does not divide among {PARTS} hand parts and "
                f"{heads} heads: take an even number of heads and a multiple of {PARTS * heads}"
            )
        if self.encoder.d_ff % GROUPS:
            raise ValueError(f"encoder.d_ff {self.encoder.d_ff} is not a multiple of {GROUPS}")
        return self

    def segment_scorer(self, score: ScoreSegments) -> SegmentScorer:
        """Return the scorer for a clip whose segments ``score`` classifies."""
        decoder, patch = self.decoder, self.frontend.patch_size
        return SegmentScorer(decoder.candidate_segments, decoder.score_threshold, patch, score)

    @property
    def part_channels(self) -> int:
        """The number of channels in the token of one hand part."""
        return self.frontend.d_model // PARTS

    def with_vocabulary(self, glosses: int) -> ModelConfig:
        """Return the configuration for a vocabulary of ``glosses`` glosses and the blank."""
        decoder = self.decoder.model_copy(update={"vocab_size": glosses + 1})
        return self.model_copy(update={"decoder": decoder})

    def changed(self, sections: Mapping[str, Mapping[str, Any]]) -> ModelConfig:
        """Return a copy in which the given keys of each section are replaced.

        Raises:
            ConfigError: a key is unknown or out of range.
        """
        now = self.model_dump()
        both = {name: {**now.get(name, {}), **keys} for name, keys in sections.items()}
        return validate(ModelConfig, {**now, **both}, "network")


def load_model_config(path: Path) -> ModelConfig:
    """Read the configuration of a network from YAML (``config/model/*.yaml``).

    Raises:
        ConfigError: the file is invalid; the message names the first bad key.
    """
    return load_yaml(ModelConfig, path)
