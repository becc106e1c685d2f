# SPDX-License-Identifier: MIT
"""Collect the frames of a recording of any length, in memory or in memory-mapped files."""

import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whispersign_model.arrays import Floats, Ints
from whispersign_model.skeleton import JOINTS


class Frames(NamedTuple):
    """Consecutive HandFrame messages as arrays.

    Attributes:
        stamps: ``(n,)`` int64 capture times in nanoseconds.
        positions: ``(n, 42, 3)`` float32, 0 where not tracked.
        confidence: ``(n, 42)`` float32 in [0, 1].
        untrackable: number of joints that are marked as tracked but have no finite position.
    """

    stamps: Ints
    positions: Floats
    confidence: Floats
    untrackable: int


def join_frames(batches: Sequence[Frames]) -> Frames:
    """Concatenate batches of frames in memory; an empty list gives zero frames."""
    empty = Frames(
        np.zeros(0, np.int64),
        np.zeros((0, JOINTS, 3), np.float32),
        np.zeros((0, JOINTS), np.float32),
        0,
    )
    stamps, positions, confidence, untrackable = zip(empty, *batches)
    return Frames(
        np.concatenate(stamps),
        np.concatenate(positions),
        np.concatenate(confidence),
        sum(untrackable),
    )


def gather_frames(batches: Iterable[Frames], folder: Path | None) -> Frames:
    """Concatenate batches of frames, in memory or on disk.

    Args:
        batches: any number of batches.
        folder: folder for unnamed files, which take 680 bytes per frame and disappear along with
            the arrays or the process. None keeps the frames in memory.

    Raises:
        OSError: the disk is full.
    """
    if folder is None:
        return join_frames(list(batches))
    empty = join_frames([])
    with ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile(dir=folder)) for _ in range(3)]
        frames, untrackable = 0, 0
        for batch in batches:
            for file, array in zip(files, (batch.stamps, batch.positions, batch.confidence)):
                file.write(np.ascontiguousarray(array).data)
            frames += len(batch.stamps)
            untrackable += batch.untrackable
        if not frames:
            return empty
        return Frames(
            _mapped(files[0], frames, empty.stamps),
            _mapped(files[1], frames, empty.positions),
            _mapped(files[2], frames, empty.confidence),
            untrackable,
        )


def _mapped(file: Any, frames: int, like: NDArray[Any]) -> NDArray[Any]:
    file.flush()
    return np.memmap(file, like.dtype, mode="r", shape=(frames, *like.shape[1:]))
