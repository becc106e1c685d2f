# SPDX-License-Identifier: MIT
"""Sliding-window inference: encode overlapping windows and merge them before decoding."""

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
    """Recognizes signs in an array or a stream, window by window.

    The network encodes each window of ``window_duration`` separately. Where windows overlap, their
    log-probabilities are averaged step by step, with less weight near the edges of a window, and
    normalized again. Greedy decoding then processes the merged rows once, as a single clip. A sign
    in two windows is reported once, and a sign made twice is reported twice; but if the windows
    disagree about the time of a sign, it may appear twice. The window length bounds the memory use.
    For a stream, prefer :class:`~whispersign_model.decoding.streaming.StreamingRecognizer`, which
    responds earlier and has no window edges.

    Args:
        model: a backend, or a PyTorch network, which is then set to evaluation mode on the CPU.
        window_duration: length of a window in seconds, rounded to whole steps of the network.
        overlap: share of a window that overlaps the next one, in [0, 1).
        rate: frames per second.

    Attributes:
        not_finite: number of frames dropped because they contain NaN or infinity.

    Raises:
        ValueError: the duration or the overlap is out of range.
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
        else:  # the caller has a PyTorch network, so torch is already imported
            from whispersign_model.runtime.torch_backend import TorchBackend

            self._backend = TorchBackend(cast("WhisperSignModel", model), "cpu")
        self._patch = self._backend.frames_per_step
        self._window = max(1, round(window_duration * rate / self._patch))  # steps
        self._hop = max(1, round(self._window * (1 - overlap)))
        self.not_finite = 0
        self.reset()

    def reset(self) -> None:
        """Start a new stream with the next frame."""
        self._frames = np.empty((0, JOINTS, FEATURES), np.float32)  # frames from the next window on
        self._first = 0  # first step of the next window
        self._merged = np.zeros((0, 1))  # weighted sums of the rows from ``_first`` on
        self._weights = np.zeros((0, 1))
        self._open: Span | None = None  # gloss of the last decoded step

    def __call__(self, frames: Floats) -> list[Span]:
        """Recognize an array ``(T, 42, 7)`` of normalized features; discards any open stream.

        Returns:
            the glosses with their steps, each of ``frames_per_step`` frames. The confidence of a
            gloss is its highest CTC probability.
        """
        self.reset()
        return self.push(frames) + self.finish()

    def push(self, frames: Floats) -> list[Span]:
        """Add the next frames ``(N, 42, 7)``; return the glosses that these complete."""
        if frames.shape[1:] != (JOINTS, FEATURES):
            raise ValueError(f"frames are {frames.shape}, not (T, {JOINTS}, {FEATURES})")
        finite = np.isfinite(frames).all(axis=(1, 2))
        self.not_finite += int(np.count_nonzero(~finite))
        self._frames = np.concatenate([self._frames, frames[finite].astype(np.float32)])
        spans: list[Span] = []
        # The last window of a stream needs end padding, so wait for frames after a window.
        while len(self._frames) > self._window * self._patch:
            self._add(self._backend.encode(self._frames[: self._window * self._patch]).log_probs)
            spans += self._decode(self._hop)
            self._frames = self._frames[self._hop * self._patch :]
        return spans

    def finish(self) -> list[Span]:
        """End the stream and return the remaining glosses; the next frame starts a new one."""
        spans: list[Span] = []
        if len(self._frames):
            rows = self._backend.encode(with_end_padding(self._frames)).log_probs
            self._add(rows)
            spans = self._decode(len(rows))
        last = [self._open] if self._open else []
        self.reset()
        return spans + last

    def _add(self, rows: Floats) -> None:
        """Add a window's rows to earlier windows' rows at the same steps."""
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
        """Decode and drop the first ``count`` steps, which no later window covers."""
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
