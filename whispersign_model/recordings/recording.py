# SPDX-License-Identifier: MIT
"""A recording: hand frames with capture times, and the glosses signed in them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np

from whispersign_model.arrays import AnyFloats, Bools, Floats, Ints
from whispersign_model.errors import RecordingError
from whispersign_model.skeleton import JOINTS
from whispersign_model.timestamps import NANOSECONDS

FARTHEST = 1000.0  # meters or image heights from the sensor; beyond, sums of squares overflow
BLOCK = 4096  # frames read at once, so that mapped arrays stay on disk


class Coordinates(IntEnum):
    """Coordinates of a frame's positions; values equal those of ``HandFrame.msg``."""

    UNKNOWN = 0
    METRIC_SENSOR = 1  # meters, sensor frame
    METRIC_HAND_CENTRED = 2  # meters, each hand relative to itself
    IMAGE_NORMALISED = 3  # units of image height


@dataclass(frozen=True)
class Segment:
    """One gloss, or a sentence's glosses in order, signed between two capture times.

    Without a gloss, the span contains no sign.
    """

    glosses: tuple[str, ...]
    start: int  # nanoseconds, on the clock of the recording's stamps
    end: int  # nanoseconds, end > start for a valid segment


@dataclass(frozen=True)
class Recording:
    """Frames of both hands with capture times.

    Attributes:
        stamps: ``(T,)`` int64 capture times in nanoseconds, in order of arrival.
        positions: ``(T, 42, 3)`` float32 meters (see ``coordinates``), 0 where not tracked.
        confidence: ``(T, 42)`` float32 in [0, 1], 0 = not tracked.
        segments: the labels, sorted by start.
        discarded: ``(start, end)`` nanoseconds of failed takes; training ignores them.
        name: unique within its source; used as a file name.
        signer, source, split: name, sensor or collection, "train"/"val"/"test" or "".
        smoothing: filter already applied to the positions, "" for none (``Smoothing.name``).
        untrackable: number of joints, over all frames, marked as tracked but without a finite
            position.
        meta: other metadata of the source.
    """

    stamps: Ints
    positions: Floats
    confidence: Floats
    segments: tuple[Segment, ...] = ()
    name: str = ""
    signer: str = ""
    source: str = ""
    split: str = ""
    coordinates: Coordinates = Coordinates.METRIC_SENSOR
    smoothing: str = ""
    discarded: tuple[tuple[int, int], ...] = ()
    untrackable: int = 0
    meta: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse inconsistent arrays and NaN or infinity.

        Raises:
            RecordingError: names the recording and its first fault.
        """
        if self.stamps.ndim != 1 or self.stamps.dtype != np.int64:
            raise RecordingError(
                self.name or "recording",
                f"stamps are {self.stamps.dtype} {self.stamps.shape}, not int64 nanoseconds (T,)",
            )
        frames = len(self.stamps)
        expected = {"positions": (frames, JOINTS, 3), "confidence": (frames, JOINTS)}
        for attribute, shape in expected.items():
            array = getattr(self, attribute)
            if array.shape != shape:
                raise RecordingError(
                    self.name or "recording", f"{attribute} are {array.shape}, not {shape}"
                )
            blocks = (array[first : first + BLOCK] for first in range(0, frames, BLOCK))
            if not all(np.isfinite(block).all() for block in blocks):
                raise RecordingError(self.name or "recording", f"{attribute} hold NaN or infinity")

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def glosses(self) -> tuple[str, ...]:
        """All glosses in order of signing."""
        return tuple(gloss for segment in self.segments for gloss in segment.glosses)

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the last."""
        return float(self.stamps[-1] - self.stamps[0]) / NANOSECONDS if len(self) else 0.0

    @property
    def frame_rate(self) -> float:
        """Frames per second by the median step of the stamps; 0 without increasing stamps."""
        steps = len(self) - 1
        rows = np.linspace(0, max(steps - 1, 0), min(steps, BLOCK)).astype(np.intp)
        ahead = self.stamps[rows + 1] - self.stamps[rows] if steps > 0 else rows[:0]
        ahead = ahead[ahead > 0]
        return float(NANOSECONDS / np.median(ahead)) if len(ahead) else 0.0

    @property
    def out_of_order(self) -> int:
        """Number of frames whose stamp is not later than the previous frame's."""
        return int((np.diff(self.stamps) <= 0).sum())

    def between(self, start: int, end: int) -> Recording:
        """Return the frames with ``start <= stamp <= end`` and the segments entirely inside."""
        inside = (self.stamps >= start) & (self.stamps <= end)
        first, count = int(inside.argmax()) if len(self) else 0, int(inside.sum())
        together = bool(inside[first : first + count].all())
        rows = slice(first, first + count) if together else inside  # a slice copies nothing
        return replace(
            self,
            stamps=self.stamps[rows],
            positions=self.positions[rows],
            confidence=self.confidence[rows],
            segments=tuple(s for s in self.segments if s.start >= start and s.end <= end),
        )


def tracked_frames(
    positions: AnyFloats, confidence: AnyFloats | None = None
) -> tuple[Floats, Floats, int]:
    """Convert raw sensor positions to arrays without NaN: zero where not tracked.

    Args:
        positions: ``(T, 42, 3)``; a joint with a coordinate that is NaN, infinite or beyond
            ``FARTHEST`` counts as untracked.
        confidence: ``(T, 42)``; None means 1 wherever positions are finite.

    Returns:
        positions and confidence as float32 without NaN, and the number of joints that claimed to be
        tracked (confidence > 0) without such a position.
    """
    finite: Bools = np.all(np.abs(positions) <= FARTHEST, axis=-1)  # False for NaN
    if confidence is None:
        claimed = finite
        confidence = finite.astype(np.float32)
    else:
        confidence = np.nan_to_num(confidence, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
        claimed = confidence > 0
    tracked = finite & claimed
    clean = np.where(tracked[..., None], positions, 0).astype(np.float32)
    untrackable = int((claimed & ~finite).sum())
    return clean, np.where(tracked, confidence, 0).astype(np.float32), untrackable
