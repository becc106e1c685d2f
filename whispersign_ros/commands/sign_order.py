# SPDX-License-Identifier: MIT
"""Each sign counts at most once, in the order of capture, whatever is delivered twice or late."""

from dataclasses import dataclass

from whispersign_model.timestamps import NANOSECONDS
from whispersign_ros.commands.evidence import FUTURE

OVERLAP = NANOSECONDS // 10  # of two successive signs


@dataclass(frozen=True)
class RecognizedSign:
    """A recognized gloss.

    Attributes:
        gloss: its name.
        confidence: in [0, 1].
        start, end: capture times, nanoseconds.
        model_id: the model that recognized it.
        source: the process that sent it; None where the middleware does not tell.
        number: utterance and position in it, which increase from sign to sign of a source.
    """

    gloss: str
    confidence: float
    start: int
    end: int
    model_id: str = ""
    source: bytes | None = None
    number: tuple[int, int] = (0, 0)


class SignOrder:
    """Admits signs whose capture times advance, and none that is old or from the future.

    Args:
        max_age: maximum nanoseconds from the end of a sign until it is admitted; None for
            recordings, whose stamps say nothing about the present.
    """

    def __init__(self, max_age: int | None) -> None:
        self._max_age = max_age
        self._last: RecognizedSign | None = None  # on this time scale
        self._newest: RecognizedSign | None = None  # on any
        self._barrier: int | None = None

    def ignore_until(self, stamp: int | None) -> None:
        """Ignore signs that begin before a capture time."""
        if stamp is not None:
            self._barrier = max(stamp, stamp if self._barrier is None else self._barrier)

    def restart(self, stamp: int | None) -> None:
        """Continue on another time scale, on which only signs after ``stamp`` count."""
        self._last, self._barrier = None, stamp

    def admit(self, sign: RecognizedSign, present: int | None) -> str:
        """Return why a sign does not count, "" if it does; it then never counts again.

        Args:
            sign: a final gloss.
            present: capture time of this moment, nanoseconds; None if it is unknown.
        """
        if present is None:
            return f"the time is unknown, so the age of {sign.gloss} is too"
        if sign.end > present + FUTURE:
            return f"{sign.gloss} has a stamp in the future"
        if sign.start > sign.end:
            return f"{sign.gloss} starts after its end"
        if self._is_repeated(sign):
            return f"{sign.gloss} was counted before"
        last = self._last
        if last is not None:
            overlap = min(OVERLAP, (last.end - last.start) // 2)
            if sign.end <= last.end or sign.start <= last.start or sign.start < last.end - overlap:
                return f"{sign.gloss} was counted before"
        self._last = self._newest = sign
        if self._barrier is not None and sign.start < self._barrier:
            return f"{sign.gloss} was signed before the stop"
        if self._max_age is not None and present - sign.end > self._max_age:
            return f"{sign.gloss} is {(present - sign.end) / NANOSECONDS:.1f} s old"
        return ""

    def _is_repeated(self, sign: RecognizedSign) -> bool:
        """Return whether a sign's number shows that it was counted, whatever a clock did since."""
        newest = self._newest
        if newest is None or sign.source is None or sign.source != newest.source:
            return newest == sign
        return sign.number <= newest.number if any(sign.number) else newest == sign
