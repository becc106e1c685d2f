# SPDX-License-Identifier: MIT
"""The clip store: training examples, trimmed to the frames with hands and cached."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from whispersign_model.arrays import Floats
from whispersign_model.datasets.dataset import Example
from whispersign_model.datasets.short_clips import find_short, required_steps, tracked_span
from whispersign_model.errors import DatasetError
from whispersign_model.features.planes import frames_of, planes
from whispersign_model.skeleton import CONFIDENCE, POSITION
from whispersign_model.training_data.variations import Motion
from whispersign_model.training_data.windows import Span, known_spans

KEPT = 1 << 30  # bytes of cached takes over all workers; further takes are read each time


class ClipStore:
    """Stores trimmed examples ("takes"); all times count from the first frame of a take.

    Args:
        examples: examples of one split.
        rate: frames per second.
        patch_size: number of frames in a CTC step.
        keep: whether the takes are varied to train on them. Their positions are then cached in
            memory while there is room, and each must be long enough for its glosses.

    Attributes:
        spans: gloss spans of each take in frames; None if unknown.
        lengths: number of frames in each take.
        least_frames: minimum number of frames that CTC needs for the glosses of each take.
        by_signer, by_gloss: isolated signs by signer, and by signer and gloss id.
        background: movement without a sign; () if none is used.

    Raises:
        DatasetError: an example to train on is too short for its glosses.
    """

    def __init__(
        self, examples: Sequence[Example], rate: float, patch_size: int, keep: bool = True
    ) -> None:
        self.examples = examples
        self.extents: list[slice] = []
        self.least_frames: list[int] = []
        self.spans: list[tuple[Span, ...] | None] = []
        self.by_signer: dict[str, list[int]] = defaultdict(list)
        self.by_gloss: dict[tuple[str, int], list[int]] = defaultdict(list)
        self.background: tuple[Motion, ...] = ()
        self._kept: list[Motion | None] = []
        room, total, seen = KEPT if keep else 0, 0.0, 0
        for number, example in enumerate(examples):
            frames = example.features()
            extent = tracked_span(frames)
            self.extents.append(extent)
            if keep:
                _check_length(example, extent, patch_size)
            steps = required_steps(example.labels.tolist())
            self.least_frames.append(max(1, steps * patch_size))
            self.spans.append(_spans(example, extent, rate))
            if len(example.labels) == 1:
                self.by_signer[example.signer].append(number)
                self.by_gloss[example.signer, int(example.labels[0])].append(number)
            motion = _motion(frames[extent])
            room -= sum(part.nbytes for part in motion)
            self._kept.append(motion if room >= 0 else None)
            total += float(motion[0][..., 0].sum(dtype=np.float64))
            seen += int(np.count_nonzero(motion[1]))
        self.lengths = [extent.stop - extent.start for extent in self.extents]
        self.middle = total / max(seen, 1)  # mean x of all tracked joints in meters

    def motion(self, number: int) -> Motion:
        """Return positions ``(T, 42, 3)`` and confidence ``(T, 42)`` of a take, read-only."""
        kept = self._kept[number]
        if kept is None:
            return _motion(self.examples[number].features()[self.extents[number]])
        return kept

    def restarts(self, number: int) -> NDArray[np.intp]:
        """Return the frames of a take at which a stream starts, including the first frame."""
        mask = self.examples[number].restart_mask()[self.extents[number]]
        mask[0] = True
        return np.flatnonzero(mask)


def _motion(frames: Floats) -> Motion:
    plain = np.asarray(frames)
    positions = frames_of(planes(plain[..., POSITION]))  # in planar memory layout
    return positions, np.ascontiguousarray(plain[..., CONFIDENCE])


def _check_length(example: Example, extent: slice, patch_size: int) -> None:
    labels = example.labels.tolist()
    if short := find_short(example.name, extent.stop - extent.start, labels, patch_size):
        raise DatasetError(
            example.features_path,
            f"{short.frames} frames are too few for {short.glosses} glosses: CTC needs "
            f"{short.needed}",
            "record it again or leave it out",
        )


def _spans(example: Example, extent: slice, rate: float) -> tuple[Span, ...] | None:
    """Return the gloss spans within a take; without times, a single gloss spans all of it."""
    length = extent.stop - extent.start
    spans = known_spans(example, rate)
    if spans is None:
        return ((0, length),) if len(example.labels) == 1 else None
    moved = []
    for start, end in spans:
        first = min(max(start - extent.start, 0), length - 1)
        moved.append((first, max(first + 1, min(end - extent.start, length))))
    return tuple(moved)
