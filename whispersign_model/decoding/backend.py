"""What a runtime offers to the decoder, whatever library computes it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from whispersign_model.decoding.detection import SegmentScorer
from whispersign_model.decoding.search import SecondPass
from whispersign_model.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda")


class EncodedClip(Protocol):
    """One clip after the encoder; the backend knows what it keeps for the second pass."""

    @property
    def log_probs(self) -> NDArray[np.float32]:
        """``(T', V)`` CTC log-probabilities; column 0 is the blank."""

    @property
    def second_pass(self) -> SecondPass:
        """What the second pass asks of the network; see :func:`decode`."""


class EncoderStream(Protocol):
    """A clip that is still growing: features go in as they come, in pieces of any length.

    All rows that :meth:`push` gave, and those :meth:`peek` gives for the rest, are what the network
    gives for the whole clip at once in chunks of the same size. The state has a fixed size.
    """

    def push(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take ``(N, 42, 7)`` more frames; return ``(K, V)`` log-probabilities of whole chunks."""

    def peek(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the rows ``(K, V)`` that would follow if the clip ended with these frames.

        The stream stays as it was: a clip may be read as if it had ended, and go on.
        """

    def reset(self) -> None:
        """Begin another clip."""


class Backend(Protocol):
    """A loaded network.

    Attributes:
        device: where it computes, e.g. "cpu" or "cuda".
        notice: a sentence for the user when ``device`` is not what was asked for, else "".
        frames_per_step: frames that one row of ``log_probs`` stands for.
        alpha: weight of CTC in rescoring that the network was made for.
        candidate_segments: lengths in steps of the segments in which it detects signs, see
            :meth:`segment_scorer`; () for a network that rescores.
    """

    device: str
    notice: str
    frames_per_step: int
    alpha: float
    candidate_segments: tuple[int, ...]

    def encode(self, features: NDArray[np.float32]) -> EncodedClip:
        """Encode one clip of normalised features ``(T, 42, 7)``, T >= 1, all of it at once."""

    def segment_scorer(self, features: NDArray[np.float32]) -> SegmentScorer:
        """Return what a network that spots says of segments of a clip ``(T, 42, 7)``."""

    def stream(self, chunk: int) -> EncoderStream:
        """Begin a clip whose steps become known ``chunk`` (1 or more) at a time."""


def choose_device(wanted: str, gpu: bool) -> tuple[str, str]:
    """Return "cpu" or "cuda" and, when it is not the one asked for, a sentence that says so.

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
