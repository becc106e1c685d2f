# SPDX-License-Identifier: MIT
"""Normalization: make frames in meters independent of hand size and position."""

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from whispersign_model.arrays import Bools, Doubles, Floats, Ints
from whispersign_model.errors import RecipeError
from whispersign_model.features.planes import planes
from whispersign_model.features.recipe import Recipe
from whispersign_model.skeleton import (
    CONFIDENCE,
    FEATURES,
    HANDS,
    JOINTS,
    JOINTS_PER_HAND,
    MIDDLE_MCP,
    POSITION,
    VELOCITY,
    WRIST,
)

HORIZON = 10.0  # averaging horizon of the running hand length, in seconds of tracked hand
ABSENCE = 0.5  # seconds without hands after which the next hand may be another person's
MISFIT = 1.5  # ratio to the running hand length beyond which a hand may be another person's
MISFIT_SECONDS = 0.5  # seconds of tracked hands after which such a hand is another person's
MOTION_SCALE = 1 / 3  # speed that weighs as much as one hand length, see "motion"
SMALLEST_SCALE = 0.1  # lower limit of a joint's scale, as a share of the scale over all joints


class Entrances:
    """Finds the frames in which a hand comes into view after both hands were absent for a while."""

    def __init__(self, rate: float) -> None:
        self._absence = math.ceil(ABSENCE * rate)
        self.reset()

    def reset(self) -> None:
        """Treat the next hand as entering."""
        self._idle = self._absence  # number of frames since a hand was last present

    def __call__(self, present: Bools) -> Bools:
        """Return ``(N,)``, True in the frames of an entrance, given where any hand is present."""
        rows = np.arange(len(present))
        seen = np.maximum.accumulate(np.where(present, rows, -1 - self._idle))
        before = np.concatenate([[-1 - self._idle], seen[:-1]])
        entrances: Bools = present & (rows - before > self._absence)
        self._idle = min(int(rows[-1] - seen[-1]), self._absence)
        return entrances


class HandLength:
    """Running mean of the hand length (wrist to middle MCP) over both hands of one person.

    During the first ``HORIZON`` seconds of tracked hands this is the plain mean, later an
    exponential mean with that horizon. Hands without a length do not count, so lost frames change
    nothing. The mean starts afresh when a hand comes into view, and when the hands have not fitted
    it for ``MISFIT_SECONDS``: the next person may have larger or smaller hands.
    """

    def __init__(self, rate: float) -> None:
        self._horizon = HORIZON * rate
        self._misfit_frames = math.ceil(MISFIT_SECONDS * rate)
        self.reset()

    def reset(self) -> None:
        """Forget all lengths."""
        self._mean = 0.0
        self._count = 0.0
        self._misfits = 0  # frames in a row whose hands do not fit the mean

    def __call__(self, lengths: Doubles, entrances: Bools) -> Doubles:
        """Return the mean ``(N,)`` after each frame; 0 while no length is known.

        Args:
            lengths: ``(N, 2)`` hand lengths; 0 if a hand has none.
            entrances: ``(N,)``, True in the frames of an :class:`Entrances`.
        """
        means: Doubles = np.zeros(len(lengths))
        edges = [0, *np.flatnonzero(entrances).tolist(), len(lengths)]
        for number, (first, last) in enumerate(pairwise(edges)):
            if number:
                self.reset()
            while first < last:
                first += self._advance(lengths[first:last], means[first:last])
        return means

    def _advance(self, lengths: Doubles, means: Doubles) -> int:
        """Fill in the means until the hands no longer fit; return the number of frames filled."""
        sums, counts = lengths.sum(axis=1), np.count_nonzero(lengths, axis=1)
        self._average(sums.copy(), counts, means)
        known = np.flatnonzero(counts)
        ratios = sums[known] / counts[known] / means[known]
        rows = np.arange(len(known))
        fits = (ratios < MISFIT) & (ratios > 1 / MISFIT)
        last_fit = np.maximum.accumulate(np.where(fits, rows, -1 - self._misfits))
        strangers = known[rows - last_fit >= self._misfit_frames]
        if len(strangers):
            self.reset()
            return int(strangers[0])
        if len(rows):
            self._misfits = int(rows[-1] - last_fit[-1])
        return len(lengths)

    def _average(self, sums: Doubles, counts: Ints, means: Doubles) -> None:
        totals = self._count + counts.cumsum()
        plain = int(totals.searchsorted(self._horizon, side="right"))
        if plain:
            sums[0] += self._mean * self._count
            means[:plain] = sums[:plain].cumsum() / np.maximum(totals[:plain], 1)
            self._mean, self._count = float(means[plain - 1]), float(totals[plain - 1])
        rest = zip(sums[plain:].tolist(), counts[plain:].tolist())
        for row, (total, count) in enumerate(rest, start=plain):
            self._count = min(self._count + count, self._horizon)
            self._mean += (total - count * self._mean) / self._count
            means[row] = self._mean


class Origin:
    """The origin of wrist positions: the point where a hand last came into view.

    If both hands enter in the same frame, the origin is midway between their wrists.
    """

    def __init__(self) -> None:
        self._point: Floats = np.zeros((1, 3), dtype=np.float32)

    def __call__(self, wrists: Floats, present: Bools, entrances: Bools) -> Floats:
        """Return the origin ``(N, 3)`` of each frame.

        Args:
            wrists: ``(N, 2, 3)`` wrist positions.
            present: ``(N, 2)``, True where a hand is tracked.
            entrances: ``(N,)``, True in the frames of an :class:`Entrances`.
        """
        rows = np.arange(len(wrists))
        centres = (wrists * present[..., None]).sum(axis=1)
        centres /= np.maximum(present.sum(axis=1), 1)[:, None].astype(np.float32)
        points = np.concatenate([self._point, centres])
        chosen = points[np.maximum.accumulate(np.where(entrances, rows + 1, 0))]
        self._point = chosen[-1:]
        return chosen


class Normaliser:
    """Turns frames in meters into scaled features in hand lengths.

    The position and velocity of a joint are relative to its own wrist. The position of a wrist is
    relative to the recipe's origin; its velocity is absolute. All values are divided by the running
    hand length and then scaled with the recipe's ``(x - offset) / scale``. Untracked values stay 0,
    and a hand without a wrist counts as untracked. Each result depends only on the frame itself and
    earlier frames, however a stream is divided among calls.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._entrances = Entrances(recipe.rate)
        self._length = HandLength(recipe.rate)
        self._origin = Origin() if recipe.location == "entry" else None
        self._offset, self._factor = None, None
        if recipe.offset is not None and recipe.scale is not None:
            self._offset = _by_hand(np.array(recipe.offset))
            self._factor = 1 / _by_hand(np.array(recipe.scale))

    def reset(self) -> None:
        """Start a new stream with the next frame."""
        self._entrances.reset()
        self._length.reset()

    def whole(self, frames: Floats) -> Floats:
        """Normalize one whole stream ``(T, 42, 7)``, independently of the current stream."""
        self.reset()
        features = self(frames)
        self.reset()
        return features

    def __call__(
        self, frames: Floats, restarts: Bools | None = None, out: Floats | None = None
    ) -> Floats:
        """Normalize the next ``N`` frames to ``(N, 42, 7)`` float32.

        Args:
            frames: ``(N, 42, 7)`` in meters and m/s, on consecutive grid steps.
            restarts: ``(N,)``, True where a new stream starts; None continues the current stream.
            out: array for the result; None allocates one.
        """
        features = np.empty(frames.shape, dtype=np.float32) if out is None else out
        starts = [] if restarts is None else np.flatnonzero(restarts).tolist()
        edges = [0, *starts, len(frames)]
        for number, (first, last) in enumerate(pairwise(edges)):
            if number:
                self.reset()
            if last > first:
                self._advance(frames[first:last], features[first:last])
        return features

    def _advance(self, frames: Floats, features: Floats) -> None:
        """Normalize one or more further frames of the stream into ``features``."""
        hands = planes(frames).reshape(FEATURES, len(frames), len(HANDS), JOINTS_PER_HAND)
        tracked = hands[CONFIDENCE] > 0
        tracked &= tracked[..., WRIST, None]
        wrists = hands[:CONFIDENCE, ..., WRIST]

        reach = np.square(hands[POSITION, ..., MIDDLE_MCP] - wrists[POSITION]).sum(axis=0)
        lengths = np.sqrt(reach * tracked[..., MIDDLE_MCP], dtype=np.float64)
        entrances = self._entrances(tracked[..., WRIST].any(axis=1))
        length = self._length(lengths, entrances)
        length[length == 0] = 1
        values = hands[:CONFIDENCE] - wrists[..., None]
        values[..., WRIST] = wrists
        if self._origin is not None:
            places = wrists[POSITION].transpose(1, 2, 0)
            values[POSITION, ..., WRIST] -= self._origin(places, tracked[..., WRIST], entrances).T[
                ..., None
            ]
        values *= (1 / length).astype(np.float32)[:, None, None]
        if self._offset is not None and self._factor is not None:
            values -= self._offset
            values *= self._factor
        known = tracked.astype(np.float32).reshape(-1, JOINTS)
        for feature, plane in enumerate((*values, hands[CONFIDENCE])):
            np.multiply(plane.reshape(-1, JOINTS), known, out=features[..., feature])


def _by_hand(values: Doubles) -> Floats:
    """Reshape values ``(7,)`` or ``(42, 7)`` to ``(6, 1, 2, 21)``, without confidence."""
    every = np.broadcast_to(values, (JOINTS, FEATURES)).astype(np.float32).T[:CONFIDENCE]
    return np.ascontiguousarray(every).reshape(CONFIDENCE, 1, len(HANDS), -1)


def fit_scaling(recipe: Recipe, examples: Iterable[Floats]) -> Recipe:
    """Return the recipe with offset and scale fitted to examples, per joint and feature.

    ``standard`` uses the mean and the standard deviation. ``minmax`` uses the middle and half of
    the range, so that features lie in [-1, 1]. Only tracked joints count. A scale is at least a
    tenth of the feature's scale over all joints; joints that are never tracked get that minimum and
    offset 0. ``motion`` fits nothing: all joints share one scale that gives movement more weight.

    Args:
        recipe: a recipe, fitted or not; returned unchanged with scaling "none".
        examples: the training set: arrays ``(T, 42, 7)`` in meters.

    Raises:
        RecipeError: the examples contain NaN, infinity or no tracked hand.
    """
    if recipe.scaling == "none":
        return recipe
    normaliser = Normaliser(recipe.changed(offset=None, scale=None))
    count = np.zeros((JOINTS, 1))
    sums, squares = np.zeros((2, JOINTS, CONFIDENCE))
    low, high = np.full((JOINTS, CONFIDENCE), np.inf), np.full((JOINTS, CONFIDENCE), -np.inf)
    for example in examples:
        features = normaliser.whole(example)
        tracked = features[..., CONFIDENCE, None] > 0
        values = features[..., :CONFIDENCE].astype(np.float64)
        count += tracked.sum(axis=0)
        sums += values.sum(axis=0)
        squares += np.square(values).sum(axis=0)
        low = np.minimum(low, np.where(tracked, values, np.inf).min(axis=0, initial=np.inf))
        high = np.maximum(high, np.where(tracked, values, -np.inf).max(axis=0, initial=-np.inf))
    if not np.isfinite(sums).all():
        raise RecipeError("training set", "features hold NaN or infinity", "convert it again")
    if not count.any():
        raise RecipeError("training set", "no hand is tracked in it", "check the recordings")
    if recipe.scaling == "motion":
        scale = [1.0] * POSITION.stop + [MOTION_SCALE] * (CONFIDENCE - VELOCITY.start) + [1.0]
        return recipe.changed(offset=[0.0] * FEATURES, scale=scale)
    if recipe.scaling == "standard":
        centre = sums / np.maximum(count, 1)
        spread = np.sqrt(np.maximum(squares / np.maximum(count, 1) - np.square(centre), 0))
    else:
        low, high = np.where(count > 0, low, 0), np.where(count > 0, high, 0)
        centre, spread = (low + high) / 2, (high - low) / 2
    overall = np.sqrt((np.square(spread) * count).sum(axis=0) / count.sum())
    spread = np.where(count > 0, np.maximum(spread, SMALLEST_SCALE * overall), overall)
    spread[spread == 0] = 1
    return recipe.changed(offset=_rows(centre, 0.0), scale=_rows(spread, 1.0))


def _rows(values: Doubles, confidence: float) -> list[list[float]]:
    """Append confidence's value to ``(42, 6)`` values, and round all to six digits."""
    return [[*(float(f"{value:.6g}") for value in row), confidence] for row in values]
