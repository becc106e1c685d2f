# SPDX-License-Identifier: MIT
"""Score detection in streams: signs found at the right time, false signs, and delays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from whispersign_model.recordings.recording import Segment
from whispersign_model.timestamps import NANOSECONDS


@dataclass(frozen=True)
class Found:
    """A gloss that the recognizer emitted.

    Attributes:
        gloss: name of the gloss.
        start, end: times in nanoseconds, on the clock of the true segments.
        given: time at which it became final, on the same clock.
    """

    gloss: str
    start: int
    end: int
    given: int


@dataclass(frozen=True)
class Detections:
    """Counts over all streams.

    Attributes:
        signed: number of true signs.
        found: number of true signs that overlap a recognized gloss of the same name.
        false: number of recognized glosses that match no sign.
        delays: seconds from the end of each found sign to its final result.
    """

    signed: int
    found: int
    false: int
    delays: tuple[float, ...]

    def report(self) -> dict[str, Any]:
        """Return rates and delays; NaN for a rate without data."""
        signed = self.signed or float("nan")
        delays = np.array(self.delays or (np.nan,))
        return {
            "signed": self.signed,
            "rate": self.found / signed,
            "false_positives": self.false / signed,
            "delay_median": float(np.median(delays)),
            "delay_p95": float(np.quantile(delays, 0.95)),
            "units": {"delay_median": "s", "delay_p95": "s"},
        }


def detect(streams: Sequence[tuple[Sequence[Segment], Sequence[Found]]]) -> Detections:
    """Match recognized glosses to true signs, each at most once.

    A sign matches the first overlapping gloss with the same name, as in the SHREC track on online
    gestures (Caputo et al. 2021).

    Args:
        streams: the true segments and the recognized glosses of each stream.
    """
    signed = found = false = 0
    delays: list[float] = []
    for segments, finds in streams:
        free = list(finds)
        for segment in segments:
            signed += 1
            match = next((each for each in free if _hits(each, segment)), None)
            if match is not None:
                free.remove(match)
                found += 1
                delays.append((match.given - segment.end) / NANOSECONDS)
        false += len(free)
    return Detections(signed, found, false, tuple(delays))


def _hits(find: Found, segment: Segment) -> bool:
    overlaps = find.start < segment.end and segment.start < find.end
    return overlaps and segment.glosses == (find.gloss,)
