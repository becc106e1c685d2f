"""The shape of a network: validated configuration, from YAML or a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from whispersign_model.configuration import load_yaml, validate
from whispersign_model.decoding.detection import ScoreSegments, SegmentScorer

SIZES = ("tiny", "base", "default", "large")
PARTS_PER_HAND = 4  # thumb; index + middle; ring + pinky; palm with the wrist's trajectory
PARTS = 2 * PARTS_PER_HAND
UTTERANCE_STEP = 8  # frames of a resampled utterance that become one token
GROUPS = 2  # of the encoder's channels, each with a share of every part

Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(ge=0, lt=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FrontendConfig(_Section):
    """Patches of ``patch_size`` frames; ConvSPE spans ``kernel_size`` of them."""

    num_joints: Literal[42] = 42  # the MediaPipe skeleton; convert others to it
    num_features: Literal[7] = 7
    patch_size: Positive = 4  # frames in a patch
    d_model: Positive = 128
    kernel_size: Positive = 5  # patches that ConvSPE sees: this one and those before it
    dropout: Rate = 0.1  # SpatialDropout1D: whole channels


class EncoderConfig(_Section):
    """``num_layers`` blocks of S-MHSA, T-MHSA and feed-forward."""

    num_heads: Positive = 4
    num_layers: Positive = 2
    d_ff: Positive = 512
    dropout: Rate = 0.1
    left_context: Positive = 64  # patches that a chunked pass may look back
    max_distance: Positive = 32  # relative positions farther apart share one embedding


class DecoderConfig(_Section):
    """Sizes of the CTC head and of the attention decoder that rescores its hypotheses.

    ``alpha`` is the weight of CTC against the decoder in the score of a hypothesis. With
    ``utterance_frames`` the decoder also reads the whole utterance, resampled to so many frames: a
    second memory, for utterances of single signs. With ``candidate_segments``, lengths in patches,
    it does not rescore: it detects signs of at least ``score_threshold`` in segments of these
    lengths.
    """

    vocab_size: Annotated[int, Field(ge=2)] = 1296  # glosses and the blank
    blank_id: Literal[0] = 0  # gloss ids start at 1
    num_layers: Positive = 1
    dropout: Rate = 0.1
    utterance_frames: Annotated[int, Field(ge=0, le=256, multiple_of=UTTERANCE_STEP)] = 0
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.8
    candidate_segments: tuple[Positive, ...] = ()
    score_threshold: Annotated[float, Field(ge=0, le=1)] = 0.5

    @property
    def detects(self) -> bool:
        """Whether the second pass detects signs."""
        return bool(self.candidate_segments)

    @model_validator(mode="after")
    def _scorer_needs_frames(self) -> DecoderConfig:
        if self.candidate_segments and not self.utterance_frames:
            raise ValueError("candidate_segments need utterance_frames, their common length")
        return self


class ModelConfig(_Section):
    """All that is needed to build a :class:`~whispersign_model.network.model.WhisperSignModel`."""

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
            raise ValueError(f"encoder.d_ff {self.encoder.d_ff} is no multiple of {GROUPS}")
        return self

    def segment_scorer(self, score: ScoreSegments) -> SegmentScorer:
        """Return the second pass over a clip whose segments ``score`` classifies."""
        decoder, patch = self.decoder, self.frontend.patch_size
        return SegmentScorer(decoder.candidate_segments, decoder.score_threshold, patch, score)

    @property
    def part_channels(self) -> int:
        """Channels of one hand part's token."""
        return self.frontend.d_model // PARTS

    def with_vocabulary(self, glosses: int) -> ModelConfig:
        """Return the same network for ``glosses`` glosses (and the blank)."""
        decoder = self.decoder.model_copy(update={"vocab_size": glosses + 1})
        return self.model_copy(update={"decoder": decoder})

    def changed(self, sections: Mapping[str, Mapping[str, Any]]) -> ModelConfig:
        """Return the network with other values of some keys, by section.

        Raises:
            ConfigError: naming the key that is unknown or out of its range.
        """
        now = self.model_dump()
        both = {name: {**now.get(name, {}), **keys} for name, keys in sections.items()}
        return validate(ModelConfig, {**now, **both}, "network")


def load_model_config(path: Path) -> ModelConfig:
    """Read a network's configuration from YAML (``config/model/*.yaml``).

    Raises:
        ConfigError: naming the file and the first key at fault.
    """
    return load_yaml(ModelConfig, path)
