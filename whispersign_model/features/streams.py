# SPDX-License-Identifier: MIT
"""Decide which frames to keep, which to drop, and which start a new stream."""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from whispersign_model.arrays import Ints
from whispersign_model.timestamps import CLOCK_JUMP_BACK, NANOSECONDS, is_clock_jump

REPEATED = NANOSECONDS // 1000  # 1 ms; a frame closer to the last one counts as repeated


class Admission(Enum):
    """The decision about a frame."""

    START = "first of a new stream"
    NEXT = "next of the stream"
    DROP = "late or repeated"


class StreamClock:
    """Classifies frames by their stamps alone, with the same rules live and offline.

    A frame is dropped if its stamp is less than 1 ms after the last stamp, equal to it, or up to 1
    s before it. A frame more than 1 s before or 5 s after the last stamp starts a new stream.

    Attributes:
        out_of_order: number of frames dropped so far.
        jumps: number of streams that a clock jump has started so far.
    """

    def __init__(self) -> None:
        self.out_of_order = 0
        self.jumps = 0
        self._last: int | None = None

    def reset(self) -> None:
        """Start a new stream with the next frame; the counters continue."""
        self._last = None

    def admit(self, stamp: int) -> Admission:
        """Classify one frame by its stamp in nanoseconds."""
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
        """Classify many frames; return runs of admitted rows, and whether each starts a stream.

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
