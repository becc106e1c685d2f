# SPDX-License-Identifier: MIT
"""Streams: which frame comes next, which is dropped and which begins a new stream."""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from whispersign_model.arrays import Ints
from whispersign_model.timestamps import CLOCK_JUMP_BACK, NANOSECONDS, is_clock_jump

REPEATED = NANOSECONDS // 1000  # 1 ms: a frame closer to the last one is the same one again


class Admission(Enum):
    """What becomes of a frame."""

    START = "first of a new stream"
    NEXT = "next of the stream"
    DROP = "late or repeated"


class StreamClock:
    """Sorts arriving frames by their stamps alone; the same rules hold live and offline.

    A frame less than 1 ms after the last one, at the same time, or up to 1 s before it is dropped.
    One further back than 1 s, or more than 5 s ahead, begins a new stream.

    Attributes:
        out_of_order: frames dropped so far.
        jumps: streams begun by a jump in time so far.
    """

    def __init__(self) -> None:
        self.out_of_order = 0
        self.jumps = 0
        self._last: int | None = None

    def reset(self) -> None:
        """Let the next frame begin a new stream; the counters go on."""
        self._last = None

    def admit(self, stamp: int) -> Admission:
        """Decide on one frame by its stamp in nanoseconds."""
        if self._last is None:
            self._last = stamp
            return Admission.START
        ahead = stamp - self._last
        if -CLOCK_JUMP_BACK <= ahead < REPEATED:
            self.out_of_order += 1
            return Admission.DROP
        self._last = stamp
        if is_clock_jump(ahead):
            self.jumps += 1
            return Admission.START
        return Admission.NEXT

    def split(self, stamps: Ints) -> list[tuple[bool, NDArray[np.intp]]]:
        """Decide on many frames: runs of admitted rows, each with whether it begins a stream.

        Args:
            stamps: ``(n,)`` nanoseconds in order of arrival.
        """
        runs: list[tuple[bool, list[int]]] = []
        for row, stamp in enumerate(stamps.tolist()):
            admission = self.admit(stamp)
            if admission is Admission.DROP:
                continue
            if admission is Admission.START or not runs:
                runs.append((admission is Admission.START, []))
            runs[-1][1].append(row)
        return [(starts, np.array(rows, dtype=np.intp)) for starts, rows in runs]
