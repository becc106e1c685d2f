# SPDX-License-Identifier: MIT
"""Results of live recognition: glosses with times and confidences."""

from dataclasses import dataclass

from whispersign_model.decoding.endpoint import Endpoint


@dataclass(frozen=True)
class RecognizedGloss:
    """One recognized gloss with its capture times.

    Attributes:
        gloss, gloss_id: name of the gloss, and its id, starting at 1.
        start, end: capture times of its first and last frame, in nanoseconds.
        confidence: calibrated confidence in [0, 1].
        alternatives: other glosses for this span, with their confidences, best first.
        stable: whether no later partial result of the utterance can change it; True in a final
            result.
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
        final: False for a partial result, whose glosses may change unless they are stable.
        utterance_id: number of the utterance, starting at 0.
        glosses: the glosses in order of signing; stable ones come first.
        stamp: capture time, in nanoseconds, of the frame that triggered the result.
        endpoint: the rule that made the glosses final. None in a partial result, or if a detection
            network finalized the glosses while the hands were still moving.
    """

    final: bool
    utterance_id: int
    glosses: tuple[RecognizedGloss, ...]
    stamp: int = 0
    endpoint: Endpoint | None = None
