# SPDX-License-Identifier: MIT
"""The PyTorch backend, which is the reference for the other backends."""

from pathlib import Path

import numpy as np
import torch

from whispersign_model.arrays import Floats
from whispersign_model.decoding import backend
from whispersign_model.decoding.detection import SegmentScorer
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.network.streaming import EncoderStep, StreamState, initial_state
from whispersign_model.runtime.chunks import ChunkStream, checked


def choose_device(wanted: str) -> tuple[torch.device, str]:
    """Return the device to use, and a notice if it is not the requested one.

    Raises:
        ConfigError: the name is not auto, cpu or cuda.
    """
    chosen, notice = backend.choose_device(wanted, torch.cuda.is_available())
    return torch.device(chosen), notice


class TorchBackend:
    """A network in PyTorch; see :class:`~whispersign_model.decoding.backend.Backend`."""

    def __init__(self, model: WhisperSignModel, device: str = "auto") -> None:
        chosen, self.notice = choose_device(device)
        self.device = str(chosen)
        self.model = model.to(chosen).eval()
        self.frames_per_step = model.config.frontend.patch_size
        self.alpha = model.config.decoder.alpha
        self.candidate_segments = model.config.decoder.candidate_segments
        self._encoder_step = EncoderStep(self.model)

    @torch.inference_mode()
    def encode(self, features: Floats) -> backend.EncodedClip:
        """Encode one clip of normalized features ``(T, 42, 7)``, with T >= 1."""
        data = self._batch(features)
        lengths = torch.tensor([len(features)], device=self.device)
        encoded = self.model(data, lengths)
        second_pass = self.model.second_passes(data, lengths, encoded)[0]
        labels = self.model.config.decoder.vocab_size
        log_probs = checked(encoded.log_probs[0].cpu().numpy(), labels)
        return backend.EncodedClip(log_probs, second_pass)

    def segment_scorer(self, features: Floats) -> SegmentScorer:
        """Return a detection network's scorer for segments of a clip ``(T, 42, 7)``."""
        return self.model.segment_scorer(self._batch(features))

    def _batch(self, features: Floats) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(features[None])).to(self.device)

    def stream(self, chunk: int) -> ChunkStream[StreamState]:
        """Start a clip that is encoded in chunks of ``chunk`` steps."""
        config = self.model.config
        initial = initial_state(config, torch.device(self.device))
        labels = config.decoder.vocab_size
        return ChunkStream(self._step, initial, self.frames_per_step, chunk, labels)

    @torch.inference_mode()
    def _step(self, patches: Floats, state: StreamState) -> tuple[Floats, StreamState]:
        data = torch.from_numpy(patches).to(self.device)
        log_probs, _, known, tokens, *memories = self._encoder_step(data, *state)
        return log_probs.cpu().numpy(), StreamState(known, tokens, tuple(memories))


def load_torch_backend(path: Path, device: str = "auto", threads: int = 1) -> TorchBackend:
    """Load a checkpoint; see :func:`~whispersign_model.runtime.loading.load_backend`.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        ConfigError: the device is unknown.
    """
    model, _ = WhisperSignModel.load_checkpoint(path)
    torch.set_num_threads(threads)
    return TorchBackend(model, device)
