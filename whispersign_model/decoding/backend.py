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
    """One encoded clip, with what the second pass needs.

    Attributes:
        log_probs: ``(T', V)`` CTC log-probabilities; column 0 is the blank.
        second_pass: the network's scorer for the second pass of a search.
    """

    log_probs: Floats
    second_pass: SecondPassScorer


class EncoderStream(Protocol):
    """A growing clip: features go in as they come, in pieces of any length.

    The rows from :meth:`push`, followed by those from :meth:`peek`, equal the rows for the whole
    clip at once, read in chunks of the same size. The state has a fixed size.
    """

    def push(self, features: Floats) -> Floats:
        """Take ``(N, 42, 7)`` more frames; return ``(K, V)`` log-probabilities of whole chunks."""

    def peek(self, features: Floats) -> Floats:
        """Return the rows ``(K, V)`` that would follow if the clip ended with these frames.

        The stream stays as it was and can go on.
        """

    def reset(self) -> None:
        """Begin another clip."""


class Backend(Protocol):
    """A loaded network.

    Attributes:
        device: where it computes, e.g. "cpu" or "cuda".
        notice: a sentence for the user if ``device`` is not the requested one, else "".
        frames_per_step: frames in one row of ``log_probs``.
        alpha: the network's weight of CTC in rescoring.
        candidate_segments: lengths in steps of the segments in which it detects signs, see
            :meth:`segment_scorer`; () for a network that rescores.
    """

    device: str
    notice: str
    frames_per_step: int
    alpha: float
    candidate_segments: tuple[int, ...]

    def encode(self, features: Floats) -> EncodedClip:
        """Encode one whole clip of normalized features ``(T, 42, 7)``, T >= 1."""

    def segment_scorer(self, features: Floats) -> SegmentScorer:
        """Return a detection network's scorer for segments of a clip ``(T, 42, 7)``."""

    def stream(self, chunk: int) -> EncoderStream:
        """Begin a clip that is read ``chunk`` (1 or more) steps at a time."""


def choose_device(wanted: str, gpu: bool) -> tuple[str, str]:
    """Return "cpu" or "cuda", and a sentence for the user if it is not the requested device.

    Args:
        wanted: auto, cpu or cuda.
        gpu: there is one that the runtime can use.

    Raises:
        ConfigError: when the name is unknown.
    """
    if wanted not in DEVICES:
        raise ConfigError("device", f"{wanted!r} is unknown", "choose auto, cpu or cuda")
    if gpu and wanted != "cpu":
        return "cuda", ""
    if wanted == "cuda":
        return "cpu", "device cuda was asked for, but there is none: using the CPU"
    return "cpu", ""
