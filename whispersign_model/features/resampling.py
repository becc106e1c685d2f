# SPDX-License-Identifier: MIT
"""Resampling to a fixed time grid, aware of gaps and with bounded look-ahead."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from whispersign_model.arrays import Bools, Floats, Ints
from whispersign_model.features.recipe import SensorRecipe
from whispersign_model.skeleton import HANDS, JOINTS, JOINTS_PER_HAND, WRIST
from whispersign_model.timestamps import NANOSECONDS

HIT = 1000  # nanoseconds; a grid point this close to a frame uses its values
BOTH = np.arange(len(HANDS))
SPARE_PERIODS = 2.2  # frame periods that a gap may last in a slow stream: one frame may be missing
LONGEST_GAP = 0.3  # seconds; no gap is longer, however slow the stream
RECENT = 9  # number of frame periods whose median is the stream's
STEEPEST = 3.0  # largest slope of a tangent relative to the flatter adjacent chord

Stamps = Ints
Indices = NDArray[np.intp]
Resampled = tuple[Stamps, Floats, Floats]


class Grid:
    """Grid times in ns after the origin: ``k / rate`` s, rounded, for k = 0, 1, 2, ...

    Integer arithmetic keeps even a long grid from drifting.
    """

    def __init__(self, rate: float) -> None:
        step = NANOSECONDS / Fraction(rate).limit_denominator(1000)
        self._whole, rest = divmod(step, 1)
        self._numerator, self._denominator = rest.numerator, rest.denominator

    def offset(self, k: Ints) -> Stamps:
        """Return the times of the grid points ``k``, rounded to nanoseconds."""
        rest = (2 * k * self._numerator + self._denominator) // (2 * self._denominator)
        offsets: Stamps = k * self._whole + rest
        return offsets

    def until(self, first: int, limit: int) -> Ints:
        """Return the grid points from ``first`` to the last one at or before ``limit``."""
        points = np.arange(first, limit // self._whole + 1)
        return points[self.offset(points) <= limit]


@dataclass(frozen=True)
class _Knots:
    """The tracked frames around each grid point, in arrays ``(m, 2)`` with a column per hand.

    Attributes:
        final: True if no later frame can change the hand at the grid point.
        hit: True if a frame that tracks the hand lies on the grid point.
        bridged: True if the grid point lies between two tracked frames that are close enough.
        frames: ``(4, m, 2)`` buffer rows of the two frames around the grid point and their outer
            neighbors, in order.
        before, after: True if the outer frame on that side can define the tangent.
    """

    final: Bools
    hit: Bools
    bridged: Bools
    frames: Indices
    before: Bools
    after: Bools


class GapLimit:
    """The longest gap after each frame across which a hand is interpolated.

    The limit is ``max_gap``, but at least ``SPARE_PERIODS`` times the median of the last ``RECENT``
    frame periods, and at most ``LONGEST_GAP``. It depends only on earlier frames.

    Args:
        max_gap: limit for a fast stream, in seconds.
    """

    def __init__(self, max_gap: float) -> None:
        self._least = round(max_gap * NANOSECONDS)
        self.longest = max(self._least, round(LONGEST_GAP * NANOSECONDS))
        self.reset()

    def reset(self) -> None:
        """Forget the stream; the first frame has the longest limit."""
        self._recent: Stamps = np.empty(0, dtype=np.int64)  # the last RECENT + 1 stamps

    def __call__(self, stamps: Stamps) -> Stamps:
        """Return the limits ``(n,)`` in ns after the next frames, whose stamps are ``(n,)``."""
        known = np.concatenate([self._recent, stamps])
        first = len(self._recent)
        self._recent = known[-RECENT - 1 :]
        periods = np.diff(known)
        medians = [
            np.median(periods[max(row - RECENT, 0) : row]) if row else self.longest
            for row in range(first, len(known))
        ]
        spare = (SPARE_PERIODS * np.array(medians)).astype(np.int64)
        limits: Stamps = np.clip(spare, self._least, self.longest)
        return limits


class Resampler:
    """Interpolates each hand on a grid that starts at the first stamp of the stream.

    Between two frames that track a hand and are at most a :class:`GapLimit` apart, the hand follows
    a cubic Hermite curve through both. The tangent at each end comes from the parabola through the
    two frames and the next one outward. If that frame does not track the hand, or lies further away
    than the limit, the tangent is the chord. Tangents are limited, which keeps the curve within
    one chord length of the chord. Elsewhere the hand is absent, unless the grid point coincides
    with a frame. A joint is tracked at a grid point if both adjacent frames track the joint.

    A grid point is emitted once no later frame can change it. For a tracked hand, that is when the
    frame after the interval arrives; for a hand that has just vanished, when it returns or the
    limit has passed; for an absent hand, immediately. The result depends only on the frames
    and stamps, not on how they are divided among calls.
    """

    def __init__(self, recipe: SensorRecipe) -> None:
        self._grid = Grid(recipe.rate)
        self._limit = GapLimit(recipe.max_gap)
        self.reset()

    @property
    def look_ahead(self) -> float:
        """The longest wait of a grid point for later frames, in seconds: twice the longest gap.

        This holds if frames arrive at least that often. With a steady frame period p, the wait is
        at most 2 p, or the limit + p while a hand is missing.
        """
        return 2 * self._limit.longest / NANOSECONDS

    def reset(self) -> None:
        """Forget the stream; the next frame's stamp is the origin of a new grid."""
        self._stamps: Stamps = np.empty(0, dtype=np.int64)
        self._limits: Stamps = np.empty(0, dtype=np.int64)
        self._limit.reset()
        self._positions: Floats = np.empty((0, JOINTS, 3), dtype=np.float32)
        self._confidence: Floats = np.empty((0, JOINTS), dtype=np.float32)
        self._origin = 0
        self._next = 0  # the first grid point that is not yet emitted

    def push(self, stamps: Stamps, positions: Floats, confidence: Floats) -> Resampled:
        """Process ``n`` more frames and return the ``m`` grid points that became final.

        Args:
            stamps: ``(n,)`` nanoseconds, increasing over all calls.
            positions: ``(n, 42, 3)``.
            confidence: ``(n, 42)``; 0 means not tracked. A hand is tracked if its wrist is.

        Returns:
            stamps ``(m,)``, positions ``(m, 42, 3)`` and confidence ``(m, 42)``; absent joints are
            0.

        Raises:
            ValueError: the stamps do not increase.
        """
        if not len(stamps):
            return self._nothing()
        if not len(self._stamps):
            self._origin = int(stamps[0])
        self._stamps = np.concatenate([self._stamps, stamps])
        if (self._stamps[1:] <= self._stamps[:-1]).any():
            raise ValueError("stamps do not increase")
        self._limits = np.concatenate([self._limits, self._limit(stamps)])
        self._positions = np.concatenate([self._positions, positions])
        self._confidence = np.concatenate([self._confidence, confidence])
        return self._give_out(closing=False)

    def flush(self) -> Resampled:
        """Return the remaining grid points up to the last frame, and forget the stream."""
        rest = self._give_out(closing=True) if len(self._stamps) else self._nothing()
        self.reset()
        return rest

    def _nothing(self) -> Resampled:
        return self._stamps[:0], self._positions[:0], self._confidence[:0]

    def _give_out(self, closing: bool) -> Resampled:
        """Return the final grid points (when closing, all of them), and trim the buffer."""
        points = self._grid.until(self._next, int(self._stamps[-1]) + HIT - self._origin)
        if not len(points):
            return self._nothing()
        times = self._origin + self._grid.offset(points)
        knots = self._find_knots(times)
        pending = np.flatnonzero(~knots.final.all(axis=1))
        count = len(points) if closing or not len(pending) else int(pending[0])
        if not count:
            return self._nothing()
        positions, confidence = self._interpolate(times[:count], knots)
        self._next += count
        self._trim()
        return times[:count], positions, confidence

    def _trim(self) -> None:
        """Drop the frames that no later grid point reads."""
        following = self._origin + int(self._grid.offset(np.array(self._next)))
        at = max(int(np.searchsorted(self._stamps, following + HIT, side="right")) - 1, 0)
        first = int(np.searchsorted(self._stamps, self._stamps[at] - 2 * self._limit.longest))
        self._stamps = self._stamps[first:]
        self._limits = self._limits[first:]
        self._positions = self._positions[first:]
        self._confidence = self._confidence[first:]

    def _find_knots(self, times: Stamps) -> _Knots:
        """Find the tracked frames around every grid time ``(m,)`` for each hand."""
        stamps, count = self._stamps, len(self._stamps)
        tracked = self._confidence[:, WRIST::JOINTS_PER_HAND] > 0
        order = np.arange(count)[:, None]
        until = np.full((count + 1, len(HANDS)), -1)  # last tracked row before each row, or -1
        np.maximum.accumulate(np.where(tracked, order, -1), out=until[1:])
        since = np.full((count + 1, len(HANDS)), count)  # first tracked row from each row, or count
        np.minimum.accumulate(np.where(tracked, order, count)[::-1], out=since[-2::-1])
        at = np.searchsorted(stamps, times + HIT, side="right") - 1

        frames = np.empty((4, len(times), len(HANDS)), dtype=np.intp)
        farther, left, right, next_ = frames
        left[:], right[:] = until[at + 1], since[at + 1]
        farther[:], next_[:] = until[np.maximum(left, 0), BOTH], right + 1
        rows = np.minimum(np.maximum(frames, 0), count - 1)
        around = stamps[rows]
        limits = self._limits[rows]
        close = around[1:] - around[:-1] <= limits[:-1]
        hit = (stamps[at] >= times - HIT)[:, None] & tracked[at]
        known, returned = left >= 0, right < count
        bridged = known & returned & close[1] & ~hit
        expired = stamps[-1] - around[1] > limits[1]
        decided = np.where(returned, ~close[1] | (next_ < count), expired)
        return _Knots(
            final=hit | ~known | decided,
            hit=hit,
            bridged=bridged,
            frames=rows,
            before=(farther >= 0) & close[0],
            after=(next_ < count) & close[2] & tracked[rows[3], BOTH],
        )

    def _interpolate(self, times: Stamps, knots: _Knots) -> tuple[Floats, Floats]:
        """Return positions ``(m, 42, 3)`` and confidence ``(m, 42)`` at the first ``m`` times."""
        count = len(times)
        frames, bridged = knots.frames[:, :count], knots.bridged[:count]
        stamps = self._stamps[frames]
        shape = (-1, len(HANDS), JOINTS_PER_HAND)
        points = self._positions.reshape(*shape, 3)[frames, BOTH]  # (4, m, 2, 21, 3)
        trust = self._confidence.reshape(shape)[frames, BOTH]  # (4, m, 2, 21)

        spans = (stamps[1:] - stamps[:-1]).astype(np.float32)
        span = np.where(bridged, spans[1], 1)
        share = np.where(bridged, times[:, None] - stamps[1], 0) / span
        u = share.astype(np.float32)[..., None]
        tracked = (trust[1] > 0) & (knots.hit[:count] | bridged)[..., None]
        tracked &= ~bridged[..., None] | (trust[2] > 0)

        outward = np.stack([knots.before[:count], knots.after[:count]])[..., None]
        outward = outward & (trust[::3] > 0)
        bends = _bends(points, span, np.where(outward, spans[::2, ..., None], 0))
        chord = points[2] - points[1]
        u1 = u[..., None]
        curve = points[1] + u1 * (chord + (1 - u1) * ((1 - u1) * bends[0] - u1 * bends[1]))
        confidence = trust[1] + u * (trust[2] - trust[1])
        return (
            (curve * tracked[..., None]).reshape(count, JOINTS, 3),
            (confidence * tracked).reshape(count, JOINTS),
        )


def _bends(points: Floats, span: Floats, outer: Floats) -> Floats:
    """Return how far the two tangents of each interval deviate from the chord.

    Args:
        points: ``(4, ..., 3)``; the interval lies between points 1 and 2.
        span: ``(m, 2)`` duration of the interval.
        outer: ``(2, m, 2, 21)`` durations of the intervals 0-1 and 2-3; 0 if there is none.

    Returns:
        deviations ``(2, ..., 3)``, multiplied by the span; 0 without an outer interval.
    """
    chord = points[2] - points[1]
    ratio: Floats = np.divide(span[..., None], np.where(outer > 0, outer, 1), dtype=np.float32)
    outer_chords = points[1::2] - points[::2]
    neighbour: Floats = outer_chords * ratio[..., None]  # scaled to the duration of this span
    weight = (outer > 0) * (ratio / (1 + ratio))
    tangent: Floats = chord + weight[..., None] * (neighbour - chord)
    gentler = np.minimum(_length(neighbour), _length(chord))
    limit = np.minimum(1, STEEPEST * gentler / np.maximum(_length(tangent), 1e-12))
    bends: Floats = np.where(outer[..., None] > 0, tangent * limit[..., None] - chord, 0)
    return bends


def _length(vectors: Floats) -> Floats:
    lengths: Floats = np.sqrt(np.square(vectors).sum(axis=-1))
    return lengths
