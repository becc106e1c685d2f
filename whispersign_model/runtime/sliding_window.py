# SPDX-License-Identifier: MIT
"""Overlapping windows, merged before they are decoded: for networks without a growing clip."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from whispersign_model.arrays import Floats
from whispersign_model.decoding.backend import Backend
from whispersign_model.decoding.ctc import BLANK
from whispersign_model.decoding.hypothesis import Span
from whispersign_model.features.end_padding import with_end_padding
from whispersign_model.skeleton import FEATURES, JOINTS

if TYPE_CHECKING:
    from whispersign_model.network.model import WhisperSignModel


class SlidingWindowInference:
    """Recognises an array or a stream window by window.

    Every window of ``window_duration`` is encoded on its own. Where windows overlap, their
    log-probabilities are averaged at the same steps in time, those near a window's edges with less
    weight, and normalised again; the merged rows are decoded greedily once, as one clip. So what
    both windows say is given once, and one sign made twice is given twice; where they differ on
    when a sign was, it can still be given twice. Memory is bounded by the window.
    :class:`~whispersign_model.decoding.streaming.StreamingRecognizer` is the better way for a
    stream: it answers earlier and keeps its state at a window's edge.

    Args:
        model: a runtime, or a PyTorch network, which is put into evaluation mode on the CPU.
        window_duration: seconds in a window, rounded to whole steps of the network.
        overlap: share of a window that the next one sees again, in [0, 1).
        rate: frames a second.

    Attributes:
        not_finite: frames left out because a value in them was no number.

    Raises:
        ValueError: a duration or overlap that makes no sense.
    """

    def __init__(
        self,
        model: Backend | WhisperSignModel,
        window_duration: float = 1.0,
        overlap: float = 0.5,
        rate: float = 60.0,
    ) -> None:
        if window_duration <= 0 or not 0 <= overlap < 1:
            raise ValueError("window_duration must be above 0 and overlap in [0, 1)")
        if hasattr(model, "encode"):
            self._backend = cast("Backend", model)
        else:  # torch is there already: the network is made of it
            from whispersign_model.runtime.torch_backend import TorchBackend

            self._backend = TorchBackend(cast("WhisperSignModel", model), "cpu")
        self._patch = self._backend.frames_per_step
        self._window = max(1, round(window_duration * rate / self._patch))  # steps
        self._hop = max(1, round(self._window * (1 - overlap)))
        self.not_finite = 0
        self.reset()

    def reset(self) -> None:
        """Let the next frame begin a new stream."""
        self._frames = np.empty((0, JOINTS, FEATURES), np.float32)  # from the next window on
        self._first = 0  # step at which the next window begins
        self._merged = np.zeros((0, 1))  # weighted sums of rows from ``_first`` on
        self._weights = np.zeros((0, 1))
        self._open: Span | None = None  # the gloss that the last decoded step belongs to

    def __call__(self, frames: Floats) -> list[Span]:
        """Recognise a whole array ``(T, 42, 7)`` of normalised features, on its own.

        Returns:
            the glosses with the steps they lie in (a step is ``frames_per_step`` frames); their
            confidences are the highest CTC probabilities.
        """
        self.reset()
        return self.push(frames) + self.finish()

    def push(self, frames: Floats) -> list[Span]:
        """Take the next frames ``(N, 42, 7)``; return the glosses that are complete now."""
        if frames.shape[1:] != (JOINTS, FEATURES):
            raise ValueError(f"frames are {frames.shape}, not (T, {JOINTS}, {FEATURES})")
        finite = np.isfinite(frames).all(axis=(1, 2))
        self.not_finite += int(np.count_nonzero(~finite))
        self._frames = np.concatenate([self._frames, frames[finite].astype(np.float32)])
        spans: list[Span] = []
        # The last window of a stream is another one: a window is read when there is more behind it.
        while len(self._frames) > self._window * self._patch:
            self._add(self._backend.encode(self._frames[: self._window * self._patch]).log_probs)
            spans += self._decode(self._hop)
            self._frames = self._frames[self._hop * self._patch :]
        return spans

    def finish(self) -> list[Span]:
        """The stream has ended; return the remaining glosses, and let the next frame begin anew."""
        spans: list[Span] = []
        if len(self._frames):
            rows = self._backend.encode(with_end_padding(self._frames)).log_probs
            self._add(rows)
            spans = self._decode(len(rows))
        last = [self._open] if self._open else []
        self.reset()
        return spans + last

    def _add(self, rows: Floats) -> None:
        """Add a window's rows to those of earlier ones at the same steps."""
        count = max(len(rows), len(self._weights))
        place = np.arange(len(rows))
        weights = np.minimum(place + 1, place[::-1] + 1)[:, None].astype(np.float64)
        merged, total = np.zeros((count, rows.shape[1])), np.zeros((count, 1))
        merged[: len(self._merged)] += self._merged
        total[: len(self._weights)] += self._weights
        merged[: len(rows)] += weights * rows
        total[: len(rows)] += weights
        self._merged, self._weights = merged, total

    def _decode(self, count: int) -> list[Span]:
        """Decode and let go of ``count`` steps that no later window sees."""
        rows = self._merged[:count] / self._weights[:count]
        rows -= np.logaddexp.reduce(rows, axis=1, keepdims=True)
        complete: list[Span] = []
        for step, (label, row) in enumerate(zip(rows.argmax(axis=1).tolist(), rows), self._first):
            sure = float(np.exp(row[label]))
            held = self._open
            if held and held.gloss_id == label:
                self._open = Span(label, held.start, step + 1, max(held.confidence, sure))
                continue
            complete += [held] if held else []
            self._open = None if label == BLANK else Span(label, step, step + 1, sure)
        self._merged, self._weights = self._merged[count:], self._weights[count:]
        self._first += count
        return complete
