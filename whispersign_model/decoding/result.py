"""What live recognition gives out: glosses with their times and confidences."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RecognizedGloss:
    """One gloss with the capture times it spans.

    Attributes:
        gloss, gloss_id: its name, and its id from 1.
        start, end: capture times of its first and last frame, nanoseconds.
        confidence: in [0, 1].
        alternatives: other glosses for this span with their confidences, best first.
        stable: no later partial result of the utterance changes it; True in a final result.
    """

    gloss: str
    gloss_id: int
    start: int
    end: int
    confidence: float
    alternatives: tuple[tuple[str, float], ...] = ()
    stable: bool = False


@dataclass(frozen=True)
class Result:
    """What is known of one utterance.

    Attributes:
        final: False while the utterance goes on and what is not stable may change.
        utterance_id: counts utterances from 0.
        glosses: in order of signing; the stable ones come first.
        stamp: capture time of the frame that brought the result, nanoseconds.
    """

    final: bool
    utterance_id: int
    glosses: tuple[RecognizedGloss, ...]
    stamp: int = 0
