# SPDX-License-Identifier: MIT
"""Endpoints: when an utterance starts, and the named rules that end it.

:class:`EndpointDetector` uses the hands' motion, capture times, and what has been decoded. It needs
no network.
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

    The early rules leave the utterance open: if the hands go on, the second pass decodes it again
    as a whole. All other rules close it.
    """

    EARLY_ABSENT = "early absent"  # no hand for early_absent_timeout, and the glosses are certain
    EARLY_REST = "early rest"  # hands at rest for early_rest_timeout, and the glosses are certain
    HANDS_ABSENT = "hands absent"  # no hand for absent_timeout
    TRAILING_SILENCE = "trailing silence"  # hands at rest and no gloss, after at least one
    MAX_LENGTH = "maximum length"  # cut between two glosses after max_length
    STREAM_GAP = "stream gap"  # no frame for absent_timeout
    CLOCK_JUMP = "clock jump"  # far back or far ahead, see timestamps.is_clock_jump
    END_OF_STREAM = "end of stream"

    @property
    def is_early(self) -> bool:
        """Whether the rule leaves the utterance open."""
        return self in (Endpoint.EARLY_ABSENT, Endpoint.EARLY_REST)


class EndpointOptions(StrictModel):
    """When an utterance ends; all times in seconds.

    Attributes:
        early_absent_timeout: no hand for this long makes certain glosses final. Glosses are
            certain if both passes would read them whether the utterance ends here or goes on.
        early_rest_timeout: hands at rest for this long make certain glosses final.
        early_confidence: minimum confidence of the last certain gloss.
        absent_timeout: no hand for this long ends the utterance in any case.
        trailing_silence_timeout: hands at rest and no further gloss for this long end it.
        rest_share: hands are at rest below this share of the utterance's top speed.
        max_length: the utterance is cut between two glosses after this long.
    """

    early_absent_timeout: float = Field(default=0.25, gt=0, le=10)
    early_rest_timeout: float = Field(default=0.5, gt=0, le=10)
    early_confidence: float = Field(default=0.8, ge=0, le=1)
    absent_timeout: float = Field(default=0.5, gt=0, le=10)
    trailing_silence_timeout: float = Field(default=1.5, gt=0, le=10)
    rest_share: float = Field(default=0.1, ge=0, lt=1)
    max_length: float = Field(default=20.0, gt=1, le=60)


class MotionActivity:
    """The hands' motion since an utterance started.

    Attributes:
        last_tracked: stamp of the last frame with a hand.
        last_moving: stamp of the last frame in which a hand moved.
    """

    def __init__(self, rest_share: float, stamp: int) -> None:
        self.last_tracked = self.last_moving = stamp
        self._rest_share = rest_share
        self._top_speed = 0.0

    def push(self, frame: Floats, stamp: int) -> float:
        """Take the next frame ``(42, 7)``; return the hands' speed in it."""
        if frame[:, CONFIDENCE].any():
            self.last_tracked = stamp
        current = speed(frame)
        self._top_speed = max(self._top_speed, current)
        if current > self._rest_share * self._top_speed:
            self.last_moving = stamp
        return current


def speed(frame: Floats) -> float:
    """Root mean square of the velocity features of tracked joints in a frame ``(42, 7)``."""
    tracked = frame[frame[:, CONFIDENCE] > 0]
    return float(np.sqrt(np.square(tracked[:, VELOCITY]).mean())) if len(tracked) else 0.0


class Pause(IntEnum):
    """How long the hands have paused."""

    NONE = 0
    EARLY = 1  # long enough for an early rule
    LONG = 2  # at rest for trailing_silence_timeout


@dataclass(frozen=True)
class Evidence:
    """What has been decoded when the hands pause.

    Attributes:
        partial: gloss ids read so far.
        end_hypothesis: the first pass's reading if the utterance ended here.
        emitted: gloss ids that are final already.
        silence: seconds since the last recognized gloss ended; None without a gloss. Infinite if
            the gloss is recognized only when the utterance is assumed to end here.
    """

    partial: tuple[int, ...]
    end_hypothesis: Hypothesis
    emitted: tuple[int, ...]
    silence: float | None


class EndpointDetector:
    """Decides when an utterance starts, when the hands pause, and which rule ends it."""

    def __init__(self, options: EndpointOptions) -> None:
        self._options = options
        self.reset()

    def reset(self) -> None:
        """Begin a new stream: hands in the next frame start an utterance."""
        self._activity: MotionActivity | None = None
        self.restart()

    def restart(self) -> None:
        """Begin another utterance, keeping what is known of the hands' motion."""
        self._emitted_early = False  # in this pause

    def starts(self, frame: Floats, stamp: int) -> bool:
        """Return whether a frame ``(42, 7)`` starts an utterance.

        An utterance starts when hands appear, or when resting hands move again. A posture held
        after the end of an utterance does not start another one.
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
        """Take the next frame ``(42, 7)`` of the open utterance; return the hands' speed in it."""
        assert self._activity is not None
        return self._activity.push(frame, stamp)

    def from_motion(self, start: int, stamp: int) -> Endpoint | None:
        """Apply the rules that do not depend on what has been decoded.

        Args:
            start: stamp of the utterance's first frame.
            stamp: stamp of its last frame.
        """
        if self._absent(stamp) >= self._options.absent_timeout:
            return Endpoint.HANDS_ABSENT
        if seconds(stamp - start) >= self._options.max_length:
            return Endpoint.MAX_LENGTH
        return None

    def pause(self, stamp: int) -> Pause:
        """Return how long the hands have paused at the utterance's last frame."""
        rest = self._rest(stamp)
        if rest >= self._options.trailing_silence_timeout:
            return Pause.LONG
        absent = self._absent(stamp) >= self._options.early_absent_timeout
        if absent or rest >= self._options.early_rest_timeout:
            return Pause.EARLY
        self._emitted_early = False
        return Pause.NONE

    def from_glosses(self, stamp: int, evidence: Evidence) -> Endpoint | None:
        """Apply the rules for a pause, which depend on what has been decoded."""
        timeout = self._options.trailing_silence_timeout
        silent = evidence.silence is not None and evidence.silence >= timeout
        if silent and self._rest(stamp) >= timeout:
            return Endpoint.TRAILING_SILENCE
        if not self._emitted_early and self._is_certain(evidence):
            self._emitted_early = True  # once in a pause
            absent = self._absent(stamp) >= self._options.early_absent_timeout
            return Endpoint.EARLY_ABSENT if absent else Endpoint.EARLY_REST
        return None

    def _is_certain(self, evidence: Evidence) -> bool:
        """Whether the new glosses are the same if the utterance ends here as if it goes on."""
        ids, spans = evidence.end_hypothesis.ids, evidence.end_hypothesis.spans
        return (
            ids == evidence.partial
            and bool(spans)
            and spans[-1].confidence >= self._options.early_confidence
            and continuation(evidence.emitted, ids) < len(ids)
        )

    def _absent(self, stamp: int) -> float:
        """Seconds since the last frame with a hand."""
        assert self._activity is not None
        return seconds(stamp - self._activity.last_tracked)

    def _rest(self, stamp: int) -> float:
        """Seconds since a hand moved."""
        assert self._activity is not None
        return seconds(stamp - self._activity.last_moving)
