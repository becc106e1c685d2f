# SPDX-License-Identifier: MIT
"""Detection: which signs of a stream were found at their place, what was made up, and how late."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from whispersign_model.recordings.recording import Segment
from whispersign_model.timestamps import NANOSECONDS


@dataclass(frozen=True)
class Found:
    """A gloss that a recogniser has given out.

    Attributes:
        gloss: its name.
        start, end: nanoseconds, on the clock of the true segments.
        given: when it was final, on the same clock.
    """

    gloss: str
    start: int
    end: int
    given: int


@dataclass(frozen=True)
class Detections:
    """Counts over streams.

    Attributes:
        signed: true signs.
        found: those with a recognised gloss that is right and overlaps them.
        false: recognised glosses that belong to none.
        delays: seconds from the end of each sign found until it was final.
    """

    signed: int
    found: int
    false: int
    delays: tuple[float, ...]

    def report(self) -> dict[str, Any]:
        """Rates and delays; NaN where there is nothing to count."""
        signed = self.signed or float("nan")
        delays = np.array(self.delays or (np.nan,))
        return {
            "signed": self.signed,
            "rate": self.found / signed,
            "false_positives": self.false / signed,
            "delay_median": float(np.median(delays)),
            "delay_p95": float(np.quantile(delays, 0.95)),
        }


def detect(streams: Sequence[tuple[Sequence[Segment], Sequence[Found]]]) -> Detections:
    """Match what was found to what was signed; each sign and each find counts once.

    A sign takes the first find that has its gloss and overlaps it (as in Caputo et al. 2021,
    SHREC track on online gestures).

    Args:
        streams: of each stream the true segments, and what was found.
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
