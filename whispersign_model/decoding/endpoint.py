# SPDX-License-Identifier: MIT
"""Endpoint detection: when an utterance starts, and the named rules that end it.

:class:`EndpointDetector` uses the motion of the hands, the capture times, and the hypotheses so
far. It needs no network.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum

import numpy as np
from pydantic import Field

from whispersign_model.arrays import Floats
from whispersign_model.configuration import StrictModel
from whispersign_model.decoding.edit_distance import continuation
from whispersign_model.decoding.hypothesis import Hypothesis
from whispersign_model.skeleton import CONFIDENCE, VELOCITY
from whispersign_model.timestamps import seconds


class Endpoint(Enum):
    """The rule that made an utterance's glosses final.

    The early rules leave the utterance open: if the hands continue, the second pass decodes the
        whole utterance again. All other rules close it.
    """

    EARLY_ABSENT = "early absent"  # no hand for early_absent_timeout, and the glosses are certain
    EARLY_REST = "early rest"  # hands at rest for early_rest_timeout, and the glosses are certain
    HANDS_ABSENT = "hands absent"  # no hand for absent_timeout
    TRAILING_SILENCE = "trailing silence"  # hands at rest and no gloss, after at least one
    MAX_LENGTH = "maximum length"  # cut between two glosses after max_length
    STREAM_GAP = "stream gap"  # no frame for absent_timeout
    CLOCK_JUMP = "clock jump"  # a stamp jumped far back or ahead; see timestamps.is_clock_jump
    END_OF_STREAM = "end of stream"

    @property
    def is_early(self) -> bool:
        """Return whether the rule leaves the utterance open."""
        return self in (Endpoint.EARLY_ABSENT, Endpoint.EARLY_REST)


class EndpointOptions(StrictModel):
    """Thresholds that decide when an utterance ends; all times are in seconds.

    Attributes:
        early_absent_timeout: time without a hand after which certain glosses become final. Glosses
            are certain if both passes decode them the same way whether the utterance ends here or
            continues.
        early_rest_timeout: time with the hands at rest after which certain glosses become final.
        early_confidence: minimum confidence of the last certain gloss.
        absent_timeout: time without a hand that ends the utterance in any case.
        trailing_silence_timeout: time with the hands at rest and no further gloss that ends the
            utterance.
        rest_share: share of the utterance's top speed below which the hands count as resting.
        max_length: longest utterance; a longer one is cut between two glosses.
    """

    early_absent_timeout: float = Field(default=0.25, gt=0, le=10)
    early_rest_timeout: float = Field(default=0.5, gt=0, le=10)
    early_confidence: float = Field(default=0.8, ge=0, le=1)
    absent_timeout: float = Field(default=0.5, gt=0, le=10)
    trailing_silence_timeout: float = Field(default=1.5, gt=0, le=10)
    rest_share: float = Field(default=0.1, ge=0, lt=1)
    max_length: float = Field(default=20.0, gt=1, le=60)


class MotionActivity:
    """Tracks the motion of the hands since an utterance started.

    Attributes:
        last_tracked: stamp of the last frame with a hand.
        last_moving: stamp of the last frame in which a hand moved.
    """

    def __init__(self, rest_share: float, stamp: int) -> None:
        self.last_tracked = self.last_moving = stamp
        self._rest_share = rest_share
        self._top_speed = 0.0

    def push(self, frame: Floats, stamp: int) -> float:
        """Process the next frame ``(42, 7)``; return the speed of the hands in it."""
        if frame[:, CONFIDENCE].any():
            self.last_tracked = stamp
        current = speed(frame)
        self._top_speed = max(self._top_speed, current)
        if current > self._rest_share * self._top_speed:
            self.last_moving = stamp
        return current


def speed(frame: Floats) -> float:
    """Return the root mean square velocity of the tracked joints in a frame ``(42, 7)``."""
    tracked = frame[frame[:, CONFIDENCE] > 0]
    return float(np.sqrt(np.square(tracked[:, VELOCITY]).mean())) if len(tracked) else 0.0


class Pause(IntEnum):
    """Whether a pause is long enough for each kind of rule."""

    NONE = 0
    EARLY = 1  # long enough for an early rule
    LONG = 2  # the hands have been at rest for trailing_silence_timeout


@dataclass(frozen=True)
class Evidence:
    """The hypotheses at the moment the hands pause.

    Attributes:
        partial: gloss ids decoded so far.
        end_hypothesis: gloss ids that the first pass decodes if the utterance ends here.
        emitted: gloss ids that are already final.
        silence: seconds since the last recognized gloss ended; None without a gloss. The value is
            infinite if the gloss appears only in ``end_hypothesis``.
    """

    partial: tuple[int, ...]
    end_hypothesis: Hypothesis
    emitted: tuple[int, ...]
    silence: float | None


class EndpointDetector:
    """Decides when an utterance starts, when the hands pause, and which rule ends the utterance."""

    def __init__(self, options: EndpointOptions) -> None:
        self._options = options
        self.reset()

    def reset(self) -> None:
        """Start a new stream, in which the first frame with hands starts an utterance."""
        self._activity: MotionActivity | None = None
        self.restart()

    def restart(self) -> None:
        """Start a new utterance, but keep the motion of the hands."""
        self._emitted_early = False  # in this pause

    def starts(self, frame: Floats, stamp: int) -> bool:
        """Return whether a frame ``(42, 7)`` starts an utterance.

        An utterance starts when hands appear, or when resting hands move again. A posture held
        since the last utterance does not start a new one.
        """
        if not frame[:, CONFIDENCE].any():
            self._activity = None
            return False
        if self._activity is not None:
            self._activity.push(frame, stamp)
            if self._activity.last_moving != stamp:
                return False
        self._activity = MotionActivity(self._options.rest_share, stamp)
        return True

    def push(self, frame: Floats, stamp: int) -> float:
        """Process the next frame ``(42, 7)`` of the open utterance; return the hands' speed."""
        assert self._activity is not None
        return self._activity.push(frame, stamp)

    def from_motion(self, start: int, stamp: int) -> Endpoint | None:
        """Apply the rules that depend only on the motion of the hands.

        Args:
            start: stamp of the first frame of the utterance.
            stamp: stamp of the latest frame.
        """
        if self._absent(stamp) >= self._options.absent_timeout:
            return Endpoint.HANDS_ABSENT
        if seconds(stamp - start) >= self._options.max_length:
            return Endpoint.MAX_LENGTH
        return None

    def pause(self, stamp: int) -> Pause:
        """Return the state of the pause at the latest frame of the utterance."""
        rest = self._rest(stamp)
        if rest >= self._options.trailing_silence_timeout:
            return Pause.LONG
        absent = self._absent(stamp) >= self._options.early_absent_timeout
        if absent or rest >= self._options.early_rest_timeout:
            return Pause.EARLY
        self._emitted_early = False
        return Pause.NONE

    def from_glosses(self, stamp: int, evidence: Evidence) -> Endpoint | None:
        """Apply the rules for a pause, which depend on the hypotheses so far."""
        timeout = self._options.trailing_silence_timeout
        silent = evidence.silence is not None and evidence.silence >= timeout
        if silent and self._rest(stamp) >= timeout:
            return Endpoint.TRAILING_SILENCE
        if not self._emitted_early and self._is_certain(evidence):
            self._emitted_early = True  # at most once per pause
            absent = self._absent(stamp) >= self._options.early_absent_timeout
            return Endpoint.EARLY_ABSENT if absent else Endpoint.EARLY_REST
        return None

    def _is_certain(self, evidence: Evidence) -> bool:
        """Return whether the new glosses do not depend on whether the utterance ends here."""
        ids, spans = evidence.end_hypothesis.ids, evidence.end_hypothesis.spans
        return (
            ids == evidence.partial
            and bool(spans)
            and spans[-1].confidence >= self._options.early_confidence
            and continuation(evidence.emitted, ids) < len(ids)
        )

    def _absent(self, stamp: int) -> float:
        """Return the seconds since the last frame with a hand."""
        assert self._activity is not None
        return seconds(stamp - self._activity.last_tracked)

    def _rest(self, stamp: int) -> float:
        """Return the seconds since a hand last moved."""
        assert self._activity is not None
        return seconds(stamp - self._activity.last_moving)
