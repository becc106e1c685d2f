"""The utterance under way: its frames, and the first pass over them with a growing clip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whispersign_model.decoding.backend import EncoderStream
from whispersign_model.decoding.ctc import PrefixBeam, common_prefix
from whispersign_model.decoding.hypothesis import Hypothesis
from whispersign_model.decoding.search import DecodingOptions, with_spans
from whispersign_model.features.end_padding import END_PADDING
from whispersign_model.skeleton import CONFIDENCE, FEATURES, JOINTS

MARGIN = float(np.log(300))  # hypotheses less probable than a 300th of the best have no say
NO_HANDS = np.zeros((END_PADDING, JOINTS, FEATURES), np.float32)


class Utterance:
    """Frames since the utterance began, and their CTC rows and hypotheses so far.

    Frames without a hand behind the last one with a hand are kept apart: the network sees them
    when a hand comes back. Row ``k`` stands for the frames from ``k * frames_per_step``.

    Args:
        stream: of the runtime, with its chunk size; reset here.
        frames_per_step: frames that a row stands for.
        options: of the search.
    """

    def __init__(
        self, stream: EncoderStream, frames_per_step: int, options: DecodingOptions
    ) -> None:
        self.frames: list[NDArray[np.float32]] = []
        self.stamps: list[int] = []
        self.speeds: list[float] = []
        self.stable: tuple[int, ...] = ()
        self._stream = stream
        self._patch = frames_per_step
        self._options = options
        self._begin()

    def _begin(self) -> None:
        self._stream.reset()
        self._read = 0  # frames that the stream has taken
        self._rows: list[NDArray[np.float32]] = []
        self._beam = PrefixBeam(self._options.beam_size, self._options.candidates)
        self._agreed: list[tuple[int, int]] = []  # gloss id, and the stamp since which all agree

    @property
    def signed(self) -> int:
        """Frames up to the last one with a hand."""
        return self._read

    def append(self, frame: NDArray[np.float32], stamp: int, speed: float) -> bool:
        """Take the next frame ``(42, 7)``; return whether more of it has been read."""
        self.frames.append(frame.copy())
        self.stamps.append(stamp)
        self.speeds.append(speed)
        if not frame[:, CONFIDENCE].any():
            return False
        count = len(self._rows)
        for index in range(self._read, len(self.frames)):
            self._take(self._stream.push(self.frames[index][None]))
        self._read = len(self.frames)
        return len(self._rows) > count

    def _take(self, rows: NDArray[np.float32]) -> None:
        self._rows.extend(rows)
        self._beam.push(rows)

    def best(self) -> tuple[int, ...]:
        """Return the gloss ids read so far."""
        return self._beam.hypotheses()[0].ids

    def hypothesis(self) -> Hypothesis:
        """Return what is read so far, with spans."""
        return self._with_spans(self._rows, self._beam)

    def ended(self) -> Hypothesis:
        """Return what would be read if the utterance ended with its last hand, with spans."""
        rows = self._stream.peek(NO_HANDS)
        beam = self._beam.copy()
        beam.push(rows)
        return self._with_spans([*self._rows, *rows], beam)

    def _with_spans(self, rows: list[NDArray[np.float32]], beam: PrefixBeam) -> Hypothesis:
        n_best = beam.hypotheses()
        return with_spans(np.stack(rows) if rows else np.empty((0, 1)), n_best)

    def finalize(self, stamp: int, after: int) -> None:
        """Make stable what all hypotheses have begun with for ``after`` nanoseconds.

        What is stable stays: hypotheses that begin otherwise are given up.
        """
        hypotheses = self._beam.hypotheses()
        alive = [h.ids for h in hypotheses if h.score >= hypotheses[0].score - MARGIN]
        common = common_prefix(alive)
        same = len(common_prefix([common, tuple(gloss_id for gloss_id, _ in self._agreed)]))
        self._agreed[same:] = [(gloss_id, stamp) for gloss_id in common[same:]]
        finalized = len(self.stable)
        while finalized < len(common) and stamp - self._agreed[finalized][1] >= after:
            finalized += 1
        if finalized > len(self.stable):
            self.stable = common[:finalized]
            self._beam.keep(self.stable)

    def forget_before(self, stamp: int) -> None:
        """Let go of whole steps before ``stamp``, in which nothing was read; the clip goes on."""
        steps = int(np.searchsorted(self.stamps, stamp)) // self._patch
        steps = min(steps, len(self._rows))
        del self._rows[:steps]
        self._beam = PrefixBeam(self._options.beam_size, self._options.candidates)
        if self._rows:
            self._beam.push(np.stack(self._rows))
        self._read -= steps * self._patch
        for each in (self.frames, self.stamps, self.speeds):
            del each[: steps * self._patch]

    def cut(self, stamp: int) -> None:
        """Begin anew with the frames from ``stamp`` on."""
        kept = list(zip(self.frames, self.stamps, self.speeds))
        self.frames, self.stamps, self.speeds, self.stable = [], [], [], ()
        self._begin()
        for frame, when, speed in kept:
            if when >= stamp and (self.frames or frame[:, CONFIDENCE].any()):
                self.append(frame, when, speed)
