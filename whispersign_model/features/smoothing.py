# SPDX-License-Identifier: MIT
"""Causal filters for joint positions, applied to whole recordings or frame by frame."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from whispersign_model.arrays import Bools, Doubles, Floats, Ints
from whispersign_model.errors import RecipeError
from whispersign_model.features.plausibility import drop_incomplete
from whispersign_model.features.recipe import Smoothing
from whispersign_model.features.streams import StreamClock
from whispersign_model.recordings.recording import Recording, tracked_frames
from whispersign_model.skeleton import CONFIDENCE, FEATURES, JOINTS
from whispersign_model.timestamps import NANOSECONDS

MEMORY = 0.1  # seconds; a joint untracked for longer restarts its filter
BLOCK = 1024  # number of frames filtered at once, to bound memory


class Filter(Protocol):
    """A joint filter. Its values do not depend on how a stream is divided among calls."""

    def reset(self) -> None:
        """Forget the stream."""

    def apply(self, stamps: Ints, values: Floats, tracked: Bools) -> Floats:
        """Filter the next ``n`` frames; untracked joints become 0.

        Args:
            stamps: ``(n,)`` nanoseconds, increasing over all calls.
            values: ``(n, 42, C)`` values to filter.
            tracked: ``(n, 42)``, True where a joint is tracked.
        """
        ...


class _Unfiltered:
    """Passes tracked joints through unchanged."""

    def reset(self) -> None:
        pass

    def apply(self, stamps: Ints, values: Floats, tracked: Bools) -> Floats:
        passed: Floats = values * tracked[..., None]
        return passed


class _Ages:
    """Measures the seconds since each joint was last tracked."""

    def __init__(self) -> None:
        self._last = np.full((1, JOINTS), -np.inf)  # nanoseconds since the start of the stream
        self._origin: int | None = None

    def advance(self, stamps: Ints, tracked: Bools) -> Doubles:
        """Return seconds ``(n, 42)`` for the next frames; infinity for a joint that restarts."""
        if self._origin is None:
            self._origin = int(stamps[0])
        now = (stamps - self._origin).astype(np.float64)[:, None]
        seen = np.concatenate([self._last, np.where(tracked, now, -np.inf)])
        seen = np.maximum.accumulate(seen)
        self._last = seen[-1:]
        ages: Doubles = (now - seen[:-1]) / NANOSECONDS
        ages[ages > MEMORY] = np.inf
        return ages


class OneEuroFilter:
    """The 1 Euro filter, per coordinate (Casiez, Roussel, Vogel, CHI 2012, algorithm 1).

    The time step is the difference between the stamps at which the joint was tracked. The first
    frame of a joint passes through unchanged and restarts the filter, and so does its first frame
    after a gap of more than 0.1 s.
    """

    def __init__(self, smoothing: Smoothing) -> None:
        self._smoothing = smoothing
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self._ages = _Ages()
        self._value: Doubles = np.zeros((JOINTS, 3))
        self._speed: Doubles = np.zeros((JOINTS, 3))

    def apply(self, stamps: Ints, values: Floats, tracked: Bools) -> Floats:
        """Filter the next ``n`` frames; see ``Filter.apply``."""
        if not len(stamps):
            return values
        ages = self._ages.advance(stamps, tracked)[..., None]
        afresh = np.isinf(ages)
        follows = tracked[..., None] & ~afresh
        rates = np.where(follows, 1 / ages, 0.0)
        turns = np.where(follows, 2 * np.pi * ages, 0.0)  # weight at f Hz: r / (r + 1), r = turn f
        speed_turns = turns * self._smoothing.d_cutoff
        speed_factors = np.where(afresh, 1.0, speed_turns / (speed_turns + 1)) * tracked[..., None]
        takes = (afresh & tracked[..., None]).astype(np.float64)
        smooth = np.empty(values.shape)
        value, speed = self._value, self._speed
        for row in range(len(stamps)):
            step = values[row] - value
            speed = speed + speed_factors[row] * (step * rates[row] - speed)
            turn = turns[row] * (self._smoothing.min_cutoff + self._smoothing.beta * np.abs(speed))
            value = value + np.maximum(turn / (turn + 1), takes[row]) * step
            smooth[row] = value
        self._value, self._speed = value, speed
        filtered: Floats = (smooth * tracked[..., None]).astype(np.float32)
        return filtered


class MovingAverageFilter:
    """Averages each joint over the recent frames that tracked it since it last reappeared."""

    def __init__(self, window_size: int, channels: int = 3) -> None:
        self._window = window_size
        self._channels = channels
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        past = self._window - 1
        self._ages = _Ages()
        self._values: Doubles = np.zeros((past, JOINTS, self._channels))
        self._tracked = np.zeros((past, JOINTS), dtype=bool)
        self._starts = np.zeros((past, JOINTS), dtype=np.int64)

    def apply(self, stamps: Ints, values: Floats, tracked: Bools) -> Floats:
        """Filter the next ``n`` frames; see ``Filter.apply``."""
        if not len(stamps):
            return values
        count, past = len(stamps), self._window - 1
        afresh = np.isinf(self._ages.advance(stamps, tracked)) & tracked
        began = self._starts[-1] if past else np.zeros(JOINTS, dtype=np.int64)
        starts = np.concatenate([self._starts, began + np.cumsum(afresh, axis=0)])
        values_ = np.concatenate([self._values, values])
        tracked_ = np.concatenate([self._tracked, tracked])
        total = np.zeros(values.shape)
        share = np.zeros(tracked.shape)
        for back in range(self._window):
            rows = slice(past - back, past - back + count)
            counts = tracked_[rows] & (starts[rows] == starts[past:])
            total += values_[rows] * counts[..., None]
            share += counts
        self._values, self._tracked = values_[count:], tracked_[count:]
        self._starts = starts[count:]
        mean = total / np.maximum(share, 1)[..., None]
        filtered: Floats = (mean * tracked[..., None]).astype(np.float32)
        return filtered


def make_filter(smoothing: Smoothing) -> Filter:
    """Return the filter that ``smoothing`` describes."""
    if smoothing.kind == "one_euro":
        return OneEuroFilter(smoothing)
    if smoothing.kind == "moving_average":
        return MovingAverageFilter(smoothing.window_size)
    return _Unfiltered()


class Smoother:
    """Filters a live stream or a whole recording, with the same values either way.

    Attributes:
        out_of_order, jumps: numbers of late or repeated frames dropped and of clock jumps so far.
    """

    def __init__(self, smoothing: Smoothing) -> None:
        self.smoothing = smoothing
        self._filter = make_filter(smoothing)
        self._clock = StreamClock()

    @property
    def out_of_order(self) -> int:
        """The number of late or repeated frames dropped so far."""
        return self._clock.out_of_order

    @property
    def jumps(self) -> int:
        """The number of streams that a clock jump has started so far."""
        return self._clock.jumps

    def reset(self) -> None:
        """Start a new stream with the next frame; the counters continue."""
        self._clock.reset()

    def push(self, stamp: int, positions: Floats, confidence: Floats) -> Floats | None:
        """Filter one frame.

        Args:
            stamp: capture time in nanoseconds.
            positions: ``(42, 3)`` joint positions.
            confidence: ``(42,)``; 0 means not tracked.

        Returns:
            positions ``(42, 3)`` float32, 0 where not tracked; None if the frame was late or
            repeated.
        """
        stamps = np.array([stamp], dtype=np.int64)
        smooth = [values for _, values in self._filtered(stamps, positions[None], confidence[None])]
        return smooth[0].reshape(JOINTS, 3) if smooth else None

    def smooth(self, recording: Recording) -> Recording:
        """Filter a whole recording, and drop its late and repeated frames.

        Raises:
            RecipeError: the recording is already smoothed.
        """
        if recording.smoothing and self.smoothing.name:
            raise RecipeError(
                recording.name or "recording",
                f"is already smoothed by {recording.smoothing}",
                "start from the unsmoothed recording",
            )
        self.reset()
        kept: list[NDArray[np.intp]] = [np.empty(0, dtype=np.intp)]
        smooth: list[Floats] = [recording.positions[:0]]
        for first in range(0, len(recording), BLOCK):
            block = slice(first, first + BLOCK)
            for rows, values in self._filtered(
                recording.stamps[block], recording.positions[block], recording.confidence[block]
            ):
                kept.append(rows + first)
                smooth.append(values)
        self.reset()
        rows = np.concatenate(kept)
        return replace(
            recording,
            stamps=recording.stamps[rows],
            positions=np.concatenate(smooth),
            confidence=recording.confidence[rows],
            smoothing=self.smoothing.name or recording.smoothing,
        )

    def _filtered(
        self, stamps: Ints, positions: Floats, confidence: Floats
    ) -> Iterator[tuple[NDArray[np.intp], Floats]]:
        """Yield the admitted rows of a block, with filtered positions."""
        positions, confidence = drop_incomplete(*tracked_frames(positions, confidence)[:2])
        for starts, rows in self._clock.split(stamps):
            if starts:
                self._filter.reset()
            yield rows, self._filter.apply(stamps[rows], positions[rows], confidence[rows] > 0)


class MovingAverageSmoothing:
    """A moving average over frames ``(42, 7)`` at 60 Hz, for whole arrays or single frames.

    It averages the position and velocity of each joint over the last ``window_size`` frames. It
    skips frames in which the joint was not tracked, and those from before it reappeared. Confidence
    stays unchanged.
    """

    def __init__(self, window_size: int = 5) -> None:
        self._filter = MovingAverageFilter(window_size, channels=CONFIDENCE)
        self._count = 0

    def reset(self) -> None:
        """Start a new stream with the next frame."""
        self._filter.reset()
        self._count = 0

    def push(self, frame: Floats) -> Floats:
        """Smooth the next frame ``(42, 7)`` of a stream."""
        return self._advance(frame[None]).reshape(JOINTS, FEATURES)

    def smooth(self, frames: Floats) -> Floats:
        """Smooth a whole array ``(T, 42, 7)``, independently of the current stream."""
        self.reset()
        smooth = self._advance(frames)
        self.reset()
        return smooth

    def _advance(self, frames: Floats) -> Floats:
        if frames.shape[1:] != (JOINTS, FEATURES):
            raise ValueError(f"frames are {frames.shape}, not (T, {JOINTS}, {FEATURES})")
        steps = np.arange(self._count, self._count + len(frames))
        self._count += len(frames)
        smooth = np.array(frames, dtype=np.float32)
        smooth[..., :CONFIDENCE] = self._filter.apply(
            steps * NANOSECONDS // 60, smooth[..., :CONFIDENCE], smooth[..., CONFIDENCE] > 0
        )
        return smooth
