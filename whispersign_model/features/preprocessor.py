# SPDX-License-Identifier: MIT
"""The preprocessor, which turns frames into features with the same code offline and live."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from whispersign_model.arrays import Bools, Floats, Ints
from whispersign_model.features.normalisation import Normaliser
from whispersign_model.features.plausibility import SpeedGate, drop_incomplete
from whispersign_model.features.recipe import Recipe
from whispersign_model.features.resampling import Resampled, Resampler
from whispersign_model.features.smoothing import make_filter
from whispersign_model.features.streams import StreamClock
from whispersign_model.features.velocity import Differentiator
from whispersign_model.recordings.recording import Coordinates, Recording, tracked_frames
from whispersign_model.skeleton import FEATURES, JOINTS

BLOCK = 1024  # number of frames processed at once, to bound memory


@dataclass(frozen=True)
class FeatureBlock:
    """Consecutive frames on the time grid.

    Attributes:
        stamps: ``(N,)`` int64 capture times of the grid points in nanoseconds.
        frames: ``(N, 42, 7)`` float32.
        restarts: ``(N,)``, True at the first frame of a stream.
    """

    stamps: Ints
    frames: Floats
    restarts: Bools

    def __len__(self) -> int:
        return len(self.stamps)

    @classmethod
    def join(cls, blocks: Sequence[FeatureBlock]) -> FeatureBlock:
        """Concatenate blocks; an empty list gives an empty block."""
        if len(blocks) == 1:
            return blocks[0]
        if not blocks:
            empty = np.empty((0, JOINTS, FEATURES), dtype=np.float32)
            return cls(np.empty(0, dtype=np.int64), empty, np.empty(0, dtype=bool))
        return cls(
            np.concatenate([block.stamps for block in blocks]),
            np.concatenate([block.frames for block in blocks]),
            np.concatenate([block.restarts for block in blocks]),
        )


class Preprocessor:
    """Turns frames with their stamps into the features that a recipe describes.

    Processing frame by frame, in blocks or all at once gives the same values up to float32
    rounding. The steps are, in order: drop late and repeated frames, and start a new stream at a
    clock jump; mark non-finite joints, incomplete hands and collapsed hands as untracked; smooth;
    apply the speed gate; resample; add velocities; normalize.

    Attributes:
        not_finite: number of joints so far that were marked as tracked but had a NaN or infinite
            position.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.not_finite = 0
        self._clock = StreamClock()
        self._filter = make_filter(recipe.smoothing)
        self._gate = SpeedGate(recipe.max_speed, recipe.max_gap)
        self._resampler = Resampler(recipe)
        self._differentiator = Differentiator(recipe.rate)
        self._normaliser = Normaliser(recipe)
        self._fresh = True  # whether the next grid frame starts a stream
        self._smoothing = ""  # filter already applied to the frames of the stream

    @property
    def look_ahead(self) -> float:
        """The longest wait for later frames in seconds; see ``Resampler.look_ahead``."""
        return self._resampler.look_ahead

    @property
    def out_of_order(self) -> int:
        """The number of late or repeated frames dropped so far."""
        return self._clock.out_of_order

    @property
    def jumps(self) -> int:
        """The number of streams that a clock jump has started so far."""
        return self._clock.jumps

    @property
    def implausible(self) -> int:
        """The number of hands rejected so far as too fast, counted once per frame."""
        return self._gate.rejected

    def reset(self) -> None:
        """Forget the stream and pending frames; the counters continue."""
        self._clock.reset()
        self._begin()

    def push(
        self, stamp: int, positions: Floats, confidence: Floats, smoothing: str = ""
    ) -> FeatureBlock:
        """Process one frame and return the features that became final, often none.

        Args:
            stamp: capture time in nanoseconds.
            positions: ``(42, 3)`` in the recipe's coordinates; NaN means not tracked.
            confidence: ``(42,)`` in [0, 1]; 0 means not tracked.
            smoothing: filter already applied to the positions (``HandFrame.smoothing``).

        Raises:
            RecipeError: the frame was smoothed with a filter other than the recipe's.
        """
        stamps = np.array([stamp], dtype=np.int64)
        return self.push_frames(stamps, positions[None], confidence[None], smoothing)

    def push_frames(
        self, stamps: Ints, positions: Floats, confidence: Floats, smoothing: str = ""
    ) -> FeatureBlock:
        """Process ``n`` frames in order of arrival; otherwise like ``push``.

        Args:
            stamps: ``(n,)`` nanoseconds.
            positions: ``(n, 42, 3)``.
            confidence: ``(n, 42)``.
            smoothing: as in ``push``.
        """
        return self._normalise(self._process(stamps, positions, confidence, smoothing))

    def flush(self) -> FeatureBlock:
        """Return the pending features; the next frame begins a new stream.

        Call this at the end of a stream and, in live operation, when no frame has arrived for a
        while.
        """
        self._clock.reset()
        return self._normalise(self._finish())

    def process(self, recording: Recording) -> FeatureBlock:
        """Return the features of a whole recording, independently of the current stream.

        Raises:
            RecipeError: the recording's coordinates or filter differ from the recipe's.
        """
        return self._normalise(self.resample(recording))

    def resample(self, recording: Recording) -> FeatureBlock:
        """Return a recording's frames on the grid, in meters and m/s, before normalization.

        A processed dataset stores these frames; ``Normaliser`` turns them into the features that
        ``process`` returns.

        Raises:
            RecipeError: the recording's coordinates or filter differ from the recipe's.
        """
        return FeatureBlock.join(list(self.resample_blocks(recording)))

    def resample_blocks(self, recording: Recording) -> Iterator[FeatureBlock]:
        """Yield the frames of ``resample`` in blocks, to bound memory.

        Raises:
            RecipeError: the recording's coordinates or filter differ from the recipe's.
        """
        self.recipe.check_source(
            recording.name or "recording", recording.coordinates, recording.smoothing
        )
        self.reset()
        for first in range(0, len(recording), BLOCK):
            yield self._process(
                recording.stamps[first : first + BLOCK],
                recording.positions[first : first + BLOCK],
                recording.confidence[first : first + BLOCK],
                recording.smoothing,
            )
        yield self._finish()
        self.reset()

    def _normalise(self, block: FeatureBlock) -> FeatureBlock:
        if not len(block):
            return block
        frames = self._normaliser(block.frames, block.restarts)
        return FeatureBlock(block.stamps, frames, block.restarts)

    def _process(
        self, stamps: Ints, positions: Floats, confidence: Floats, smoothing: str
    ) -> FeatureBlock:
        """Process ``n`` more frames; return the grid frames in meters that became final."""
        if smoothing != self._smoothing:
            self.recipe.check_source("hands", Coordinates.UNKNOWN, smoothing)
            self._smoothing = smoothing
            self._clock.reset()
        positions, confidence, faulty = tracked_frames(positions, confidence)
        positions, confidence = drop_incomplete(positions, confidence)
        self.not_finite += faulty
        blocks = []
        for starts, rows in self._clock.split(stamps):
            if starts:
                blocks.append(self._finish())
            blocks.append(self._advance(stamps[rows], positions[rows], confidence[rows]))
        return FeatureBlock.join(blocks)

    def _advance(self, stamps: Ints, positions: Floats, confidence: Floats) -> FeatureBlock:
        """Process frames of one stream, in increasing order of time."""
        if not self._smoothing:
            positions = self._filter.apply(stamps, positions, confidence > 0)
        positions, confidence = self._gate(stamps, positions, confidence)
        return self._differentiate(self._resampler.push(stamps, positions, confidence))

    def _finish(self) -> FeatureBlock:
        """Return the pending frames in meters and start a new stream."""
        block = self._differentiate(self._resampler.flush())
        self._begin()
        return block

    def _differentiate(self, resampled: Resampled) -> FeatureBlock:
        stamps, positions, confidence = resampled
        restarts = np.zeros(len(stamps), dtype=bool)
        if len(stamps):
            restarts[0], self._fresh = self._fresh, False
        return FeatureBlock(stamps, self._differentiator(positions, confidence), restarts)

    def _begin(self) -> None:
        """Reset all steps up to the velocities; the restart marker later resets the normalizer."""
        self._filter.reset()
        self._gate.reset()
        self._resampler.reset()
        self._differentiator.reset()
        self._fresh = True
