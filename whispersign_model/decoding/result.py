# SPDX-License-Identifier: MIT
"""What live recognition returns: glosses with their times and confidences."""

from dataclasses import dataclass

from whispersign_model.decoding.endpoint import Endpoint


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
    """The glosses recognized in one utterance.

    Attributes:
        final: False while the utterance goes on and glosses that are not stable may change.
        utterance_id: counts utterances from 0.
        glosses: in order of signing; the stable ones come first.
        stamp: capture time of the frame that brought the result, nanoseconds.
        endpoint: the rule that made the glosses final; None in a partial result, and if a detecting
            network finalized them while the hands moved on.
    """

    final: bool
    utterance_id: int
    glosses: tuple[RecognizedGloss, ...]
    stamp: int = 0
    endpoint: Endpoint | None = None
