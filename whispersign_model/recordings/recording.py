# SPDX-License-Identifier: MIT
"""A recording: hand frames with capture times, and the glosses signed in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np

from whispersign_model.arrays import AnyFloats, Bools, Floats, Ints
from whispersign_model.errors import RecordingError, printable
from whispersign_model.skeleton import JOINTS, LEFT, RIGHT, WRIST
from whispersign_model.timestamps import NANOSECONDS

LONGEST_NAME = 200  # characters of a gloss, signer, source or split
FARTHEST = 1000.0  # meters or image heights from the sensor; larger values overflow when squared
BLOCK = 4096  # number of frames read at once, so that mapped arrays stay on disk


class Coordinates(IntEnum):
    """The coordinates of positions, with the same values as in ``HandFrame.msg``."""

    UNKNOWN = 0
    METRIC_SENSOR = 1  # meters in the sensor frame
    METRIC_HAND_CENTRED = 2  # meters, each hand relative to its own position
    IMAGE_NORMALISED = 3  # in image heights


@dataclass(frozen=True)
class Segment:
    """One gloss, or a sentence's glosses in order, signed between two capture times.

    A segment without glosses marks a span that contains no sign.
    """

    glosses: tuple[str, ...]
    start: int  # nanoseconds, on the clock of the recording's stamps
    end: int  # nanoseconds; later than start in a valid segment


@dataclass(frozen=True)
class Recording:
    """Frames of both hands with capture times.

    Attributes:
        stamps: ``(T,)`` int64 capture times in nanoseconds, in order of arrival.
        positions: ``(T, 42, 3)`` float32, in meters or as ``coordinates`` says; 0 where not
            tracked.
        confidence: ``(T, 42)`` float32 in [0, 1]; 0 means not tracked.
        segments: the labels, sorted by start time.
        discarded: ``(start, end)`` of failed takes in nanoseconds; training ignores them.
        name: name that is unique within the source; also used as a file name.
        signer, source, split: the signer's name, the sensor or collection, and "train", "val" or
            "test"; each "" if unknown.
        smoothing: filter already applied to the positions (``Smoothing.name``); "" for none.
        untrackable: number of joints, over all frames, that were marked as tracked but had no
            finite position.
        meta: other metadata from the source.
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
        """Reject inconsistent arrays, NaN, infinity, and names that could control a terminal.

        Raises:
            RecordingError: an array or a name is invalid; the message names the recording and the
                first fault.
        """
        for text in (*self.glosses, self.signer, self.source, self.split):
            if len(text) > LONGEST_NAME or printable(text) != text:
                raise RecordingError(
                    self.name or "recording",
                    f"the name {printable(text, LONGEST_NAME)} is longer than {LONGEST_NAME} "
                    "characters or contains a control character",
                )
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
        """The seconds from the first frame to the last."""
        return float(self.stamps[-1] - self.stamps[0]) / NANOSECONDS if len(self) else 0.0

    @property
    def frame_rate(self) -> float:
        """The frames per second, from the median step of the stamps; 0 if no stamp increases."""
        steps = len(self) - 1
        rows = np.linspace(0, max(steps - 1, 0), min(steps, BLOCK)).astype(np.intp)
        ahead = self.stamps[rows + 1] - self.stamps[rows] if steps > 0 else rows[:0]
        ahead = ahead[ahead > 0]
        return float(NANOSECONDS / np.median(ahead)) if len(ahead) else 0.0

    @property
    def out_of_order(self) -> int:
        """The number of frames whose stamp is not later than that of the previous frame."""
        return int((np.diff(self.stamps) <= 0).sum())

    def between(self, start: int, end: int) -> Recording:
        """Return the frames with ``start <= stamp <= end`` and the segments entirely inside."""
        inside = (self.stamps >= start) & (self.stamps <= end)
        first, count = int(inside.argmax()) if len(self) else 0, int(inside.sum())
        together = bool(inside[first : first + count].all())
        rows = slice(first, first + count) if together else inside  # a slice does not copy
        return replace(
            self,
            stamps=self.stamps[rows],
            positions=self.positions[rows],
            confidence=self.confidence[rows],
            segments=tuple(s for s in self.segments if s.start >= start and s.end <= end),
        )

    def shifted(self, nanoseconds: int) -> Recording:
        """Return the recording at later times; at earlier ones if ``nanoseconds`` is negative."""
        return replace(
            self,
            stamps=self.stamps + nanoseconds,
            segments=tuple(
                replace(s, start=s.start + nanoseconds, end=s.end + nanoseconds)
                for s in self.segments
            ),
        )

    def starting_at(self, stamp: int) -> Recording:
        """Return the recording with its first frame at a stamp."""
        return self.shifted(stamp - int(self.stamps[0]))


def joined(parts: Sequence[Recording]) -> Recording:
    """Return parts that follow one another on one clock as a single recording.

    All but frames and segments is that of the first part.
    """
    return replace(
        parts[0],
        stamps=np.concatenate([each.stamps for each in parts]),
        positions=np.concatenate([each.positions for each in parts]),
        confidence=np.concatenate([each.confidence for each in parts]),
        segments=tuple(segment for each in parts for segment in each.segments),
    )


def median_wrist(hands: Iterable[tuple[Floats, Floats]]) -> Floats:
    """Return the median place ``(3,)`` of all tracked wrists; 0 without one.

    Args:
        hands: positions ``(T, 42, 3)`` and confidence ``(T, 42)``, any number of times.
    """
    wrists = [LEFT.start + WRIST, RIGHT.start + WRIST]
    known = [positions[:, wrists][confidence[:, wrists] > 0] for positions, confidence in hands]
    places = np.concatenate([np.zeros((0, 3), np.float32), *known])
    return np.median(places, axis=0) if len(places) else np.zeros(3, np.float32)


def tracked_frames(
    positions: AnyFloats, confidence: AnyFloats | None = None
) -> tuple[Floats, Floats, int]:
    """Convert raw sensor positions to arrays without NaN: zero where not tracked.

    Args:
        positions: ``(T, 42, 3)``. A joint counts as untracked if a coordinate is NaN, infinite or
            beyond ``FARTHEST``.
        confidence: ``(T, 42)``; None stands for 1 wherever positions are finite.

    Returns:
        positions and confidence as float32 without NaN, and the number of joints with a confidence
        above 0 but no valid position.
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
