# SPDX-License-Identifier: MIT
"""Backends for decoding tests: one reads glosses from the input, others rerun whole clips."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whispersign_model.decoding.result import Result
from whispersign_model.decoding.streaming import RecognizerOptions

GLOSSES = ("HELLO", "YES")
PERIOD = 16_666_667  # nanoseconds at 60 Hz
PATCH = 4
NEVER_SURE = {"early_absent_timeout": 10.0, "early_rest_timeout": 10.0}
PATIENT = RecognizerOptions(**NEVER_SURE)  # no early endpoints

Frames = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """An encoded clip whose attention decoder prefers no hypothesis."""

    log_probs: NDArray[np.float32]

    def second_pass(self, hypotheses: Sequence[tuple[int, ...]]) -> NDArray[np.floating[Any]]:
        return np.zeros(len(hypotheses))


class RerunStream:
    """A reference implementation of a stream, which encodes all frames so far again.

    Args:
        encode: returns the rows ``(T', V)`` of a clip, in chunks of the stream's size.
        chunk: size of a chunk in steps.
    """

    def __init__(self, encode: Callable[[Frames], Frames], chunk: int) -> None:
        self._encode = encode
        self._span = chunk * PATCH
        self.reset()

    def reset(self) -> None:
        self._frames: list[Frames] = []
        self._emitted = 0

    def copy(self) -> RerunStream:
        other = copy.copy(self)
        other._frames = list(self._frames)
        return other

    def push(self, features: Frames) -> Frames:
        self._frames.extend(features)
        whole = len(self._frames) // self._span * self._span
        rows = self._rows(self._frames[:whole])
        self._emitted += len(rows)
        return rows

    def peek(self, features: Frames) -> Frames:
        return self._rows([*self._frames, *features])

    def _rows(self, frames: Sequence[Frames]) -> Frames:
        if -(-len(frames) // PATCH) <= self._emitted:
            return np.empty((0, 1), np.float32)
        return self._encode(np.stack(frames))[self._emitted :]


class Reader:
    """A backend that reads the gloss id from the right wrist's x of each frame."""

    device, notice, frames_per_step, alpha = "cpu", "", PATCH, 0.8
    candidate_segments: tuple[int, ...] = ()

    def __init__(self) -> None:
        self.encoded = 0  # frames read by the second pass

    def encode(self, features: Frames) -> Clip:
        self.encoded += len(features)
        return Clip(self.rows(features))

    def stream(self, chunk: int) -> RerunStream:
        return RerunStream(self.rows, chunk)

    def rows(self, features: Frames) -> Frames:
        return sharp(
            [int(features[step : step + 4, 21, 0].max()) for step in range(0, len(features), 4)]
        )


def sharp(path: Sequence[int]) -> Frames:
    """Return log-probabilities ``(T', 3)`` with nearly all probability on one path."""
    log_probs = np.full((len(path), 3), np.log(0.001), np.float32)
    log_probs[np.arange(len(path)), path] = np.log(0.998)
    return log_probs


def signal(*parts: tuple[str, float]) -> Frames:
    """Return frames of parts (kind, seconds): "absent", "rest", "move" (no gloss), or a gloss
    (moving, too)."""
    frames = []
    for kind, seconds in parts:
        frame = np.zeros((round(seconds * 60), 42, 7), np.float32)
        if kind != "absent":
            frame[:, 21:, 6] = 1
        if kind in GLOSSES:
            frame[:, 21, 0] = GLOSSES.index(kind) + 1
        if kind in (*GLOSSES, "move"):
            frame[:, 21:, 3:6] = 1
        frames.append(frame)
    return np.concatenate(frames)


def final(results: Sequence[Result]) -> list[list[str]]:
    """Return the glosses of each final result."""
    return [[gloss.gloss for gloss in result.glosses] for result in results if result.final]
