# SPDX-License-Identifier: MIT
"""Time alignment: put a stream of frames in time order and fill short gaps."""

import numpy as np

from whispersign_model.arrays import Floats
from whispersign_model.decoding.endpoint import Endpoint
from whispersign_model.features.streams import Admission, StreamClock
from whispersign_model.skeleton import CONFIDENCE
from whispersign_model.timestamps import NANOSECONDS, seconds

MAX_INTERPOLATED_GAP = 0.1  # seconds; frames that fill a longer gap have no hands
BREAK = 0.25  # seconds; evidence on one side of a longer gap says nothing about the other side

StampedFrame = tuple[Floats, int]


class TimeAligner:
    """Drops late, repeated and non-finite frames, fills short gaps, and reports long ones.

    Args:
        period: nanoseconds between two frames.
        max_gap: seconds without a frame after which an utterance ends.

    Attributes:
        filled: number of missing frames filled in so far.
        not_finite: number of frames dropped so far because of a NaN or infinite value.
        breaks: clock jumps and gaps longer than ``BREAK`` between two usable frames so far. It
            changes no result.
    """

    def __init__(self, period: float, max_gap: float) -> None:
        self.filled = self.not_finite = self.breaks = 0
        self._period = period
        self._max_gap = max_gap
        self._clock = StreamClock()
        self._previous: StampedFrame | None = None

    @property
    def out_of_order(self) -> int:
        """The number of late and repeated frames dropped so far."""
        return self._clock.out_of_order

    @property
    def newest(self) -> int | None:
        """Capture time (ns) of the newest usable frame; None at the beginning of a stream."""
        return self._previous[1] if self._previous else None

    def reset(self) -> None:
        """Start a new stream with the next frame; the counters continue."""
        self._clock.reset()
        self._previous = None

    def push(
        self, frame: Floats, stamp: int, fill: bool
    ) -> tuple[Endpoint | None, list[StampedFrame]]:
        """Process the next frame.

        Args:
            frame: ``(42, 7)`` normalized features.
            stamp: capture time in nanoseconds.
            fill: whether to fill a gap before this frame that is shorter than ``max_gap``.

        Returns:
            the endpoint before this frame, if there is one, and the frames to decode: none, this
            frame, or the filled frames followed by this frame.
        """
        if not np.isfinite(frame).all():
            self.not_finite += 1
            return None, []
        admission = self._clock.admit(stamp)
        if admission is Admission.DROP:
            return None, []
        previous, self._previous = self._previous, (frame.copy(), stamp)
        if previous is None:
            return None, [(frame, stamp)]
        self.breaks += admission is Admission.START or seconds(stamp - previous[1]) > BREAK
        if admission is Admission.START:
            return Endpoint.CLOCK_JUMP, [(frame, stamp)]
        if seconds(stamp - previous[1]) >= self._max_gap:
            return Endpoint.STREAM_GAP, [(frame, stamp)]
        filled = self._fill(*previous, frame, stamp) if fill else []
        self.filled += len(filled)
        return None, [*filled, (frame, stamp)]

    def _fill(self, before: Floats, last: int, frame: Floats, stamp: int) -> list[StampedFrame]:
        """Return the frames missing between two frames, with evenly spaced stamps."""
        missing = round((stamp - last) / self._period) - 1
        if missing <= 0:
            return []
        stamps = [last + (stamp - last) * n // (missing + 1) for n in range(1, missing + 1)]
        return list(zip(interpolate_gap(before, frame, missing, self._period), stamps))


def interpolate_gap(before: Floats, after: Floats, count: int, period: float) -> Floats:
    """Return ``count`` evenly spaced frames, ``(count, 42, 7)``, between two frames ``(42, 7)``.

    In a short gap, joints tracked on both sides are interpolated linearly. Other joints, and all
    joints in a longer gap, are not tracked.

    Args:
        before: normalized features of the last frame before the gap.
        after: normalized features of the first frame after the gap.
        count: number of missing frames.
        period: nanoseconds between two frames.
    """
    if (count + 1) * period > MAX_INTERPOLATED_GAP * NANOSECONDS:
        return np.zeros((count, *before.shape), np.float32)
    shares = np.linspace(0, 1, count + 2, dtype=np.float32)[1:-1, None, None]
    tracked = np.minimum(before[:, CONFIDENCE], after[:, CONFIDENCE])[:, None] > 0
    filled: Floats = (before + shares * (after - before)) * tracked
    return filled
