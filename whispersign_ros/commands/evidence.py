# SPDX-License-Identifier: MIT
"""Evidence that a live sensor is being recognized; without it, no command is carried out.

Times are judged twice: by capture, against the node's clock, and by progress, against a monotonic
clock. A frame that waited in a queue fails the first test, a clock that stands still the second.
"""

from dataclasses import dataclass
from typing import NamedTuple

from whispersign_model.timestamps import NANOSECONDS

FUTURE = NANOSECONDS // 5  # tolerance for the clock of another machine


class Now(NamedTuple):
    """One moment on two clocks.

    Attributes:
        clock: the clock that stamps are compared with, nanoseconds; None if it has no time yet.
        steady: a monotonic clock, nanoseconds.
    """

    clock: int | None
    steady: int


@dataclass(frozen=True)
class RecognizerReport:
    """What recognition_node reports about itself.

    Attributes:
        fault: why nothing can be recognized, "" if all is well.
        model_id: its model.
        recognized_until: capture time of the newest frame that it has recognized, nanoseconds.
        stream: number of the stream of frames; each interruption begins another one.
        source: the process that reports; None where the middleware does not tell.
    """

    fault: str = ""
    model_id: str = ""
    recognized_until: int | None = None
    stream: int | None = None
    source: bytes | None = None


class _Progress:
    """The newest stamp of a stream, and when it last changed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stamp: int | None = None
        self._changed = 0

    def update(self, stamp: int | None, now: Now) -> None:
        if stamp != self.stamp:
            self.stamp, self._changed = stamp, now.steady

    def lost(self, now: Now, limit: int, live: bool) -> str:
        if self.stamp is None:
            return f"{self.name} are missing"
        if now.steady - self._changed > limit:
            return f"{self.name} have stopped"
        if not live:
            return ""
        if now.clock is None:
            return "the clock has no time yet"
        if now.clock - self.stamp > limit:
            return f"{self.name} are more than {limit / NANOSECONDS:g} s old"
        ahead = self.stamp - now.clock > FUTURE
        return f"{self.name} are ahead of the clock" if ahead else ""


class Evidence:
    """Decides whether everything between the sensor and the commands is alive.

    Args:
        limit: maximum age of the newest recognized frame, nanoseconds.
        live: judge stamps by the clock; False for recordings with their own stamps, whose stamps
            only have to advance.
    """

    def __init__(self, limit: int, live: bool = True) -> None:
        self.live = live
        self._limit = limit
        self._features = _Progress("hands/features")
        self._recognized = _Progress("recognized frames")
        self._conflict = ""
        self._report: RecognizerReport | None = None
        self._rivals_until = 0  # monotonic time
        self._model_id: str | None = None
        self._lacking = ""

    @property
    def newest(self) -> int | None:
        """Capture time of the newest frame, nanoseconds."""
        return self._features.stamp

    @property
    def source(self) -> bytes | None:
        """The process of the recognizer; None where it is unknown."""
        return self._report.source if self._report else None

    @property
    def model_id(self) -> str | None:
        """The model whose vocabulary is in use; None before the first vocabulary."""
        return self._model_id

    def on_features(self, stamp: int, now: Now) -> None:
        """Record the arrival of a frame with its capture time."""
        self._features.update(stamp, now)

    def on_conflict(self, conflict: str) -> None:
        """Record which nodes send features at the same time, "" if one does."""
        self._conflict = conflict

    def on_report(self, report: RecognizerReport, now: Now) -> bool:
        """Record a report; return whether the stream of frames was interrupted before it."""
        last, self._report = self._report, report
        if last is not None and last.source != report.source:
            self._rivals_until = now.steady + self._limit
        self._recognized.update(report.recognized_until, now)
        return last is not None and last.stream != report.stream

    def on_vocabulary(self, model_id: str, lacking: str) -> None:
        """Record the vocabulary in use, and which glosses it lacks ("" for none)."""
        self._model_id, self._lacking = model_id, lacking

    def lost(self, now: Now) -> str:
        """Return why no command may be carried out, "" while the evidence is fresh."""
        if self._conflict:
            return self._conflict
        if self._model_id is None:
            return "no vocabulary has arrived"
        if self._lacking:
            return self._lacking
        if now.steady < self._rivals_until:
            return "two processes report as the recognizer"
        report = self._report
        if report is not None and report.fault:
            return f"the recognizer reports: {report.fault}"
        if report is not None and report.model_id != self._model_id:
            return "the recognizer and its vocabulary name different models"
        for progress in (self._features, self._recognized):
            if lost := progress.lost(now, self._limit, self.live):
                return lost
        return ""
