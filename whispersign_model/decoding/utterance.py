# SPDX-License-Identifier: MIT
"""The open utterance: its frames, and the state of the first pass over them."""

from dataclasses import dataclass

import numpy as np

from whispersign_model.arrays import Floats
from whispersign_model.decoding.backend import EncoderStream
from whispersign_model.decoding.ctc import PrefixBeam, common_prefix
from whispersign_model.decoding.forced_alignment import extents
from whispersign_model.decoding.hypothesis import Hypothesis
from whispersign_model.decoding.search import DecodingOptions, with_spans
from whispersign_model.features.end_padding import END_PADDING
from whispersign_model.skeleton import CONFIDENCE, FEATURES, JOINTS
from whispersign_model.timestamps import NANOSECONDS

SCORE_MARGIN = float(np.log(300))  # lower-scoring hypotheses cannot delay stability
KEPT_REST = 0.3  # seconds of a rest that remain in an utterance when the hands move again
PADDING_FRAMES = np.zeros((END_PADDING, JOINTS, FEATURES), np.float32)


@dataclass(frozen=True)
class _Mark:
    """A moment in an utterance: the numbers of its frames and rows, and its state."""

    frames: int
    tracked: int
    rows: int
    stream: EncoderStream
    beam: PrefixBeam
    stable: tuple[int, ...]
    agreed: tuple[tuple[int, int], ...]


class Utterance:
    """The frames since the utterance started, with the CTC rows and hypotheses of the first pass.

    The network receives trailing frames without a hand only once a hand returns. Row ``k`` covers
    the frames from ``k * frames_per_step`` on.

    Args:
        stream: the runtime's encoder stream, which is reset here.
        frames_per_step: number of frames behind one row.
        options: options for the search.

    Attributes:
        frames, stamps, speeds: ``(42, 7)`` features, capture time and hand speed of each frame.
        tracked: number of frames up to the last one with a hand; the network has received these.
        stable: gloss ids that no later hypothesis of the first pass changes.
        rescored: number of frames that the second pass last decoded as a complete utterance.
    """

    def __init__(
        self, stream: EncoderStream, frames_per_step: int, options: DecodingOptions
    ) -> None:
        self._stream = stream
        self._patch = frames_per_step
        self._options = options
        self.frames: list[Floats] = []
        self.stamps: list[int] = []
        self.speeds: list[float] = []
        self.stable: tuple[int, ...] = ()
        self.rescored = 0
        self._stream.reset()
        self.tracked = 0
        self._rows: list[Floats] = []
        self._beam = PrefixBeam(self._options.beam_size, self._options.candidates)
        self._agreed: list[tuple[int, int]] = []  # gloss id, stamp since which all agree
        self._marked: _Mark | None = None

    def append(self, frame: Floats, stamp: int, speed: float) -> bool:
        """Add the next frame ``(42, 7)``; return whether the first pass has new rows."""
        self.frames.append(frame.copy())
        self.stamps.append(stamp)
        self.speeds.append(speed)
        if not frame[:, CONFIDENCE].any():
            return False
        count = len(self._rows)
        for unread in self.frames[self.tracked :]:
            rows = self._stream.push(unread[None])
            self._rows.extend(rows)
            self._beam.push(rows)
        self.tracked = len(self.frames)
        return len(self._rows) > count

    def best(self) -> tuple[int, ...]:
        """Return the gloss ids decoded so far."""
        return self._beam.hypotheses()[0].ids

    def hypothesis(self) -> Hypothesis:
        """Return the current hypothesis, with spans."""
        return self._with_spans(self._rows, self._beam)

    def end_hypothesis(self) -> Hypothesis:
        """Return the hypothesis, with spans, as if the utterance ended at the last hand."""
        rows = self._stream.peek(PADDING_FRAMES)
        beam = self._beam.copy()
        beam.push(rows)
        return self._with_spans([*self._rows, *rows], beam)

    def _with_spans(self, rows: list[Floats], beam: PrefixBeam) -> Hypothesis:
        n_best = beam.hypotheses()
        return with_spans(np.stack(rows) if rows else np.empty((0, 1)), n_best)

    def stabilize(self, stamp: int, after: int) -> None:
        """Mark glosses as stable on which all hypotheses have agreed for ``after`` nanoseconds.

        Hypotheses that do not begin with the stable glosses are dropped.
        """
        hypotheses = self._beam.hypotheses()
        alive = [h.ids for h in hypotheses if h.score >= hypotheses[0].score - SCORE_MARGIN]
        common = common_prefix(alive)
        same = len(common_prefix([common, tuple(gloss_id for gloss_id, _ in self._agreed)]))
        self._agreed[same:] = [(gloss_id, stamp) for gloss_id in common[same:]]
        count = len(self.stable)
        while count < len(common) and stamp - self._agreed[count][1] >= after:
            count += 1
        if count > len(self.stable):
            self.stable = common[:count]
            self._beam.keep(self.stable)

    def locate(self, hypothesis: Hypothesis) -> list[tuple[int, int]]:
        """Return the capture times of the first and last frame of each gloss."""
        places: list[tuple[int, int]] = []
        limit = self.tracked  # a gloss that appears only with the assumed end gets the last frames
        for span in reversed(hypothesis.spans):
            end = min(span.end * self._patch, limit)
            limit = min(span.start * self._patch, end - 1)
            places.insert(0, (limit, end))
        if not hypothesis.complete_spans:
            places = extents(places, np.array(self.speeds[: self.tracked]))
        return [
            (self.stamps[self._after_rest(first, last)], self.stamps[last - 1])
            for first, last in places
        ]

    def _after_rest(self, first: int, last: int) -> int:
        """Return the first frame of a gloss, skipping the rest before it.

        :meth:`rewind` leaves out the frames of a rest, so the rest may have begun long ago.
        """
        stamps = np.array(self.stamps[first:last])
        for frame in np.flatnonzero(np.diff(stamps) > KEPT_REST * NANOSECONDS).tolist():
            if stamps[frame] - stamps[0] <= KEPT_REST * NANOSECONDS:
                return first + int(frame) + 1
        return first

    def forget_before(self, stamp: int) -> None:
        """Drop the whole steps before ``stamp``, which contain no gloss; the clip continues."""
        steps = int(np.searchsorted(self.stamps, stamp)) // self._patch
        steps = min(steps, len(self._rows))
        self._marked = None
        del self._rows[:steps]
        self._beam = PrefixBeam(self._options.beam_size, self._options.candidates)
        if self._rows:
            self._beam.push(np.stack(self._rows))
        self.tracked -= steps * self._patch
        for each in (self.frames, self.stamps, self.speeds):
            del each[: steps * self._patch]

    def mark(self) -> None:
        """Remember the state after the last whole step, to which :meth:`rewind` returns."""
        if self._marked is None and len(self.frames) % self._patch == 0:
            beam, stream = self._beam.copy(), self._stream.copy()
            sizes = len(self.frames), self.tracked, len(self._rows)
            self._marked = _Mark(*sizes, stream, beam, self.stable, tuple(self._agreed))

    def rewind(self) -> None:
        """Drop the frames since the mark, if there is one, and remove the mark."""
        mark, self._marked = self._marked, None
        if mark is None:
            return
        for each in (self.frames, self.stamps, self.speeds):
            del each[mark.frames :]
        del self._rows[mark.rows :]
        self.tracked, self._stream, self._beam = mark.tracked, mark.stream, mark.beam
        self.stable, self._agreed = mark.stable, list(mark.agreed)
        self.rescored = 0
