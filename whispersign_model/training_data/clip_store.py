# SPDX-License-Identifier: MIT
"""The clip store: examples, trimmed to where hands are seen, checked and kept for variation."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from whispersign_model.arrays import Floats
from whispersign_model.datasets.dataset import Example
from whispersign_model.decoding.forced_alignment import required_steps
from whispersign_model.errors import DatasetError
from whispersign_model.features.planes import frames_of, planes
from whispersign_model.skeleton import CONFIDENCE, POSITION
from whispersign_model.training_data.variations import Motion
from whispersign_model.training_data.windows import Span, known_spans

KEPT = 1 << 30  # bytes of trimmed takes held in memory, for all workers; the rest is read each time


def tracked_span(frames: Floats) -> slice:
    """Frames from the first to the last in which a hand is tracked; an utterance's extent."""
    tracked = np.flatnonzero((frames[..., CONFIDENCE] > 0).any(axis=1))
    return slice(int(tracked[0]), int(tracked[-1]) + 1) if len(tracked) else slice(0, len(frames))


class ClipStore:
    """Trimmed examples; all times count from a take's first frame.

    Args:
        examples: of one split.
        rate: frames a second.
        patch_size: frames in a CTC step.
        keep: remember positions, as far as there is room; only what is varied needs them again.

    Attributes:
        spans: of each take, the frames of its glosses, None where they are not known.
        lengths: frames of each take.
        least_frames: fewest frames that CTC fits each take's glosses into.
        by_signer: isolated signs by signer; ``by_gloss`` by signer and gloss id.

    Raises:
        DatasetError: for the first example that is too short for its glosses.
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
        self._kept: list[Motion | None] = []
        room, total, seen = KEPT if keep else 0, 0.0, 0
        for number, example in enumerate(examples):
            frames = example.features()
            extent = tracked_span(frames)
            self.extents.append(extent)
            self.least_frames.append(_least_frames(example, extent, patch_size))
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
        self.middle = total / max(seen, 1)  # mean x of all tracked joints, metres

    def motion(self, number: int) -> Motion:
        """Return positions ``(T, 42, 3)`` and confidence ``(T, 42)`` of a take; read only."""
        kept = self._kept[number]
        if kept is None:
            return _motion(self.examples[number].features()[self.extents[number]])
        return kept

    def restarts(self, number: int) -> NDArray[np.intp]:
        """Return the frames of a take at which another stream begins; its first is always one."""
        mask = self.examples[number].restart_mask()[self.extents[number]]
        mask[0] = True
        return np.flatnonzero(mask)


def _motion(frames: Floats) -> Motion:
    plain = np.asarray(frames)
    positions = frames_of(planes(plain[..., POSITION]))  # as they are computed with
    return positions, np.ascontiguousarray(plain[..., CONFIDENCE])


def _least_frames(example: Example, extent: slice, patch_size: int) -> int:
    """Return the fewest frames for an example's glosses; refuse it if it has fewer."""
    least = max(1, required_steps(example.labels.tolist()) * patch_size)
    length = extent.stop - extent.start
    if length < least:
        raise DatasetError(
            example.features_path,
            f"{length} frames are too few for {len(example.labels)} glosses: CTC needs {least}",
            "record it again or leave it out",
        )
    return least


def _spans(example: Example, extent: slice, rate: float) -> tuple[Span, ...] | None:
    """Return the spans of an example's glosses in its take; a lone gloss may span all of it."""
    length = extent.stop - extent.start
    spans = known_spans(example, rate)
    if spans is None:
        return ((0, length),) if len(example.labels) == 1 else None
    moved = []
    for start, end in spans:
        first = min(max(start - extent.start, 0), length - 1)
        moved.append((first, max(first + 1, min(end - extent.start, length))))
    return tuple(moved)
