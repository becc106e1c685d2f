# SPDX-License-Identifier: MIT
"""Draw training windows from longer streams, and training segments for detection."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from whispersign_model.arrays import Ints
from whispersign_model.datasets.dataset import Example
from whispersign_model.timestamps import NANOSECONDS

Span = tuple[int, int]  # first frame of a gloss, and the frame after its last
Spans = tuple[Span, ...]  # spans of all glosses of a clip, in order
PART = 0.25  # a sign is whole (absent) if less than this share is outside (inside)
JITTER = 0.25  # largest error at either end of a sign's segment, as a share of its length
ABSENT = 0.45  # largest share of any sign in a segment without a gloss
NOTHINGS = 2  # number of segments without a gloss per clip, if there is room
TRIES = 20


@dataclass(frozen=True)
class StreamWindow:
    """A part of a stream.

    Attributes:
        first, last: first frame of the window, and the frame after its last.
        glosses: indices of the glosses whose signs lie in the window.
    """

    first: int
    last: int
    glosses: tuple[int, ...]


def draw_window(
    spans: Sequence[Span], frames: int, length: int, generator: Generator
) -> StreamWindow:
    """Draw a window that contains at least one sign, if the stream has any.

    If an edge would cut a sign so that neither its gloss nor silence would be a correct label, the
    window grows to the end of the sign. A sign with less than a quarter inside stays without a
    label.

    Args:
        spans: non-empty spans of the stream's glosses, in order.
        frames: number of frames in the stream.
        length: number of frames in the window before it grows.
        generator: random source of the window's position.
    """
    length = min(length, frames)
    start, end = spans[int(generator.integers(len(spans)))] if spans else (0, frames)
    low, high = sorted((end - length, start))  # the window grows to fit a sign that is longer
    first = int(np.clip(generator.integers(low, high + 1), 0, frames - length))
    last = first + length
    for start, end in spans:
        if PART <= _share((start, end), first, last) < 1 - PART:
            first, last = min(first, start), max(last, end)
    kept = [i for i, span in enumerate(spans) if _share(span, first, last) >= 1 - PART]
    return StreamWindow(first, last, tuple(kept))


def draw_segments(
    spans: Sequence[Span],
    labels: Sequence[int],
    frames: int,
    lengths: tuple[int, int],
    generator: Generator,
) -> Ints:
    """Draw segments of a stream: around each sign, and some between and across signs.

    Args:
        spans: spans of the stream's glosses.
        labels: gloss ids.
        frames: number of frames in the stream.
        lengths: minimum and maximum number of frames in a segment without a gloss.
        generator: random source of the positions.

    Returns:
        segments ``(N, 3)``: first frame, frame after the last, and gloss id or 0.
    """
    drawn = []
    for (start, end), gloss_id in zip(spans, labels):
        off = generator.uniform(-JITTER, JITTER, 2) * (end - start)
        first = int(np.clip(start + off[0], 0, frames - 1))
        drawn.append((first, int(np.clip(end + off[1], first + 1, frames)), gloss_id))
    for _ in range(NOTHINGS):
        for _ in range(TRIES):
            length = int(generator.integers(lengths[0], lengths[1] + 1))
            if length > frames:
                continue
            first = int(generator.integers(frames - length + 1))
            if all(_share(span, first, first + length) < ABSENT for span in spans):
                drawn.append((first, first + length, 0))
                break
    return np.array(drawn, np.int64).reshape(-1, 3)


def _share(span: Span, first: int, last: int) -> float:
    """Return the share of a sign that lies between ``first`` and ``last`` (exclusive)."""
    start, end = span
    return max(0, min(end, last) - max(start, first)) / (end - start)


def known_spans(example: Example, rate: float) -> tuple[Span, ...] | None:
    """Return the frames of each gloss, or None if the segments do not determine them."""
    spans = []
    for segment in example.segments:
        start, end = (round(time * rate / NANOSECONDS) for time in (segment.start, segment.end))
        start, end = max(start, 0), min(end, example.frames)
        if end <= start:
            return None
        spans.append((start, end))
    return tuple(spans) if len(spans) == len(example.labels) else None
