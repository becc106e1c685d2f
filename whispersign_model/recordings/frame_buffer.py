"""Frames of a recording of any length, put end to end in memory or in files mapped into it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whispersign_model.recordings.bags.messages import Frames, join_frames


def gather_frames(batches: Iterable[Frames], folder: Path | None) -> Frames:
    """Put batches of frames end to end.

    Args:
        batches: any number of them.
        folder: for nameless files, 680 bytes a frame, that vanish with the arrays or with the
            process; None keeps the frames in memory.

    Raises:
        OSError: when the disk is full.
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
