# SPDX-License-Identifier: MIT
"""Streaming with a cached step: collect frames into patches, and patches into chunks."""

import copy
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from whispersign_model.arrays import Floats
from whispersign_model.errors import CheckpointError
from whispersign_model.skeleton import FEATURES, JOINTS

State = TypeVar("State")
Frames = Floats
NETWORK = "network"  # the subject of errors: a stream knows no file


class ChunkStream(Generic[State]):
    """An :class:`~whispersign_model.decoding.backend.EncoderStream` for any runtime.

    Args:
        step: function that takes the next patches ``(K, P, 42, 7)`` and a state, and returns the
            log-probabilities ``(K, V)`` and the next state. It must not modify the given state.
        initial: state before the first patch of a clip.
        patch_size: number of frames in a patch, P.
        chunk: number of patches in a chunk.
        labels: number of glosses plus the blank, V.
    """

    def __init__(
        self,
        step: Callable[[Frames, State], tuple[Frames, State]],
        initial: State,
        patch_size: int,
        chunk: int,
        labels: int,
    ) -> None:
        self._step = step
        self._initial = initial
        self._patch_size = patch_size
        self._frames_per_chunk = chunk * patch_size
        self._labels = labels
        self._state = initial
        self._waiting: Frames = np.empty((0, JOINTS, FEATURES), np.float32)

    def push(self, features: Frames) -> Frames:
        """Add frames ``(N, 42, 7)``; return log-probabilities ``(K, V)`` of completed chunks."""
        waiting = np.concatenate([self._waiting, features])
        whole = len(waiting) // self._frames_per_chunk * self._frames_per_chunk
        rows, self._state = self._encode(waiting[:whole], self._state)
        self._waiting = waiting[whole:]
        return rows

    def peek(self, features: Frames) -> Frames:
        """Return the remaining rows ``(K, V)``, as if the clip ended after these frames."""
        waiting = np.concatenate([self._waiting, features])
        return self._encode(whole_patches(waiting, self._patch_size), self._state)[0]

    def copy(self) -> "ChunkStream[State]":
        """Return an independent stream in the same state."""
        return copy.copy(self)  # a shallow copy suffices: a push replaces the state and the frames

    def reset(self) -> None:
        """Start a new clip."""
        self._state = self._initial
        self._waiting = self._waiting[:0]

    def _encode(self, frames: Frames, state: State) -> tuple[Frames, State]:
        """Encode complete patches chunk by chunk; the last chunk may be incomplete."""
        rows = [np.empty((0, self._labels), np.float32)]
        for first in range(0, len(frames), self._frames_per_chunk):
            chunk = frames[first : first + self._frames_per_chunk]
            log_probs, state = self._step(as_patches(chunk, self._patch_size), state)
            rows.append(checked(log_probs, self._labels))
        return np.concatenate(rows), state


def checked(log_probs: Floats, labels: int) -> Floats:
    """Return a network's output ``(K, V)`` if it can be decoded.

    Raises:
        CheckpointError: a row contains NaN or only infinities, or does not have ``labels`` columns.
    """
    if log_probs.ndim != 2 or log_probs.shape[1] != labels:
        shape = log_probs.shape
        raise CheckpointError(NETWORK, f"its output is {shape}, not (K, {labels})", "replace it")
    finite(log_probs.max(axis=1))
    return log_probs


def finite(output: Floats) -> Floats:
    """Return a network's output if it is finite.

    Raises:
        CheckpointError: it contains NaN or infinity.
    """
    if not np.isfinite(output).all():
        fault = "its output is not a number"
        raise CheckpointError(NETWORK, fault, "its weights or the features are damaged")
    return output


def whole_patches(frames: Frames, patch_size: int) -> Frames:
    """Repeat the last frame of ``frames (N, 42, 7)`` to fill the last patch."""
    missing = -len(frames) % patch_size
    return np.pad(frames, ((0, missing), (0, 0), (0, 0)), mode="edge") if missing else frames


def as_patches(frames: Frames, patch_size: int) -> Frames:
    """Reshape frames that fill K patches to ``(K, P, 42, 7)``."""
    return np.ascontiguousarray(frames).reshape(-1, patch_size, *frames.shape[1:])
