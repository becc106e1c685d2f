# SPDX-License-Identifier: MIT
"""The interface between the decoder and a runtime."""

from dataclasses import dataclass
from typing import Protocol

from whispersign_model.arrays import Floats
from whispersign_model.decoding.detection import SegmentScorer
from whispersign_model.decoding.search import SecondPassScorer
from whispersign_model.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class EncodedClip:
    """One encoded clip, with the scorer for the second pass.

    Attributes:
        log_probs: ``(T', V)`` CTC log-probabilities; column 0 is the blank.
        second_pass: function with which the second pass scores hypotheses or segments.
    """

    log_probs: Floats
    second_pass: SecondPassScorer


class EncoderStream(Protocol):
    """The encoder's view of a growing clip, which accepts features in blocks of any length.

    All rows from :meth:`push`, followed by the rows from :meth:`peek`, equal those for the whole
    clip read in chunks of the same size. The state has a fixed size.
    """

    def push(self, features: Floats) -> Floats:
        """Add frames ``(N, 42, 7)``; return log-probabilities ``(K, V)`` of completed chunks."""

    def peek(self, features: Floats) -> Floats:
        """Return the remaining rows ``(K, V)``, as if the clip ended after these frames.

        The stream itself does not change and can continue.
        """

    def copy(self) -> "EncoderStream":
        """Return an independent stream in the same state."""

    def reset(self) -> None:
        """Start a new clip."""


class Backend(Protocol):
    """A loaded network.

    Attributes:
        device: device on which the network runs, such as "cpu" or "cuda".
        notice: message for the user if ``device`` is not the requested device, else "".
        frames_per_step: number of frames behind one row of ``log_probs``.
        alpha: the network's default weight of CTC in rescoring.
        candidate_segments: lengths, in steps, of the segments in which the network detects signs
            (see :meth:`segment_scorer`); () for a network that rescores instead.
    """

    device: str
    notice: str
    frames_per_step: int
    alpha: float
    candidate_segments: tuple[int, ...]

    def encode(self, features: Floats) -> EncodedClip:
        """Encode one whole clip of normalized features ``(T, 42, 7)``, with T >= 1."""

    def segment_scorer(self, features: Floats) -> SegmentScorer:
        """Return a detection network's scorer for segments of a clip ``(T, 42, 7)``."""

    def stream(self, chunk: int) -> EncoderStream:
        """Start a clip that is encoded in chunks of ``chunk`` steps, at least 1."""


def choose_device(wanted: str, gpu: bool) -> tuple[str, str]:
    """Return "cpu" or "cuda", and a message for the user if that is not the requested device.

    Args:
        wanted: the requested device: auto, cpu or cuda.
        gpu: whether the runtime can use a GPU.

    Raises:
        ConfigError: the name is unknown.
    """
    if wanted not in DEVICES:
        raise ConfigError("device", f"{wanted!r} is unknown", "choose auto, cpu or cuda")
    if gpu and wanted != "cpu":
        return "cuda", ""
    if wanted == "cuda":
        return "cpu", "device cuda was requested but is not available: using the CPU"
    return "cpu", ""
