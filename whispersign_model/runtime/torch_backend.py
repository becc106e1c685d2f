"""The PyTorch runtime: the reference against which others are measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from whispersign_model.errors import ConfigError
from whispersign_model.network.model import WhisperSignModel

Device = Literal["auto", "cpu", "cuda"]


def choose_device(wanted: str) -> tuple[torch.device, str]:
    """Return the device to use and, when it is not the one asked for, a sentence that says so.

    Raises:
        ConfigError: when the name is not auto, cpu or cuda.
    """
    if wanted not in ("auto", "cpu", "cuda"):
        raise ConfigError("device", f"{wanted!r} is unknown", "choose auto, cpu or cuda")
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu"), ""
    if torch.cuda.is_available():
        return torch.device("cuda"), ""
    return torch.device("cpu"), "device cuda was asked for, but there is none: using the CPU"


@dataclass(frozen=True)
class TorchClip:
    """One encoded clip; see :class:`~whispersign_model.runtime.backend.EncodedClip`."""

    model: WhisperSignModel
    memory: torch.Tensor
    log_probs: NDArray[np.float32]

    def rescore(self, hypotheses: Sequence[tuple[int, ...]]) -> NDArray[np.floating]:
        """Return ``(N,)`` attention log-probabilities of sequences of gloss ids."""
        return self.model.rescore(self.memory, hypotheses)


class TorchBackend:
    """A network in PyTorch; see :class:`~whispersign_model.runtime.backend.Backend`."""

    def __init__(self, model: WhisperSignModel, device: str = "auto") -> None:
        chosen, self.notice = choose_device(device)
        self.device = str(chosen)
        self.model = model.to(chosen).eval()
        self.frames_per_step = model.config.frontend.patch_size

    @torch.inference_mode()
    def encode(self, features: NDArray[np.float32]) -> TorchClip:
        """Encode one clip of normalised features ``(T, 42, 7)``, T >= 1."""
        data = torch.from_numpy(np.ascontiguousarray(features[None])).to(self.device)
        encoded = self.model(data, torch.tensor([len(features)], device=self.device))
        return TorchClip(self.model, encoded.states, encoded.log_probs[0].cpu().numpy())


def load_backend(path: Path, device: str = "auto", threads: int = 1) -> TorchBackend:
    """Load a checkpoint for recognition.

    Args:
        path: checkpoint folder or weights file.
        device: auto, cpu or cuda; without a GPU, cuda falls back and ``notice`` says so.
        threads: CPU threads; one leaves the other cores to the robot.

    Raises:
        CheckpointError: when the checkpoint cannot be used.
        ConfigError: when the device is unknown.
    """
    model, _ = WhisperSignModel.load_checkpoint(path)
    torch.set_num_threads(threads)
    return TorchBackend(model, device)
