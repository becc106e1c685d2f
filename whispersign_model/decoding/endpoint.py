# SPDX-License-Identifier: MIT
"""Endpoint detection: when an utterance starts, and the named rules that end it.

:class:`EndpointDetector` uses the motion of the hands, the capture times, and the hypotheses so
far. It needs no network.
"""

from dataclasses import dataclass
from enum import Enum

from pydantic import Field

from whispersign_model.arrays import Floats
from whispersign_model.configuration import StrictModel
from whispersign_model.decoding.hypothesis import Hypothesis
from whispersign_model.decoding.motion import HandMotion, HandState
from whispersign_model.features.recipe import Recipe


class Endpoint(Enum):
    """The rule that made an utterance's glosses final.

    The early rules leave the utterance open: if the hands continue, the second pass decodes the
        whole utterance again. All other rules close it.
    """

    EARLY_ABSENT = "early absent"  # no hand for early_absent_timeout, and the glosses are certain
    EARLY_REST = "early rest"  # hands at rest for early_rest_timeout, and the glosses are certain
    HANDS_ABSENT = "hands absent"  # no hand for absent_timeout
    TRAILING_SILENCE = "trailing silence"  # hands at rest for trailing_silence_timeout
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
        trailing_silence_timeout: time with the hands at rest that ends the utterance.
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


@dataclass(frozen=True)
class Evidence:
    """The hypotheses at the moment the hands pause.

    Attributes:
        partial: gloss ids decoded so far.
        end_hypothesis: gloss ids that the first pass decodes if the utterance ends here.
        has_new: whether ``end_hypothesis`` has glosses that are not yet final.
    """

    partial: tuple[int, ...]
    end_hypothesis: Hypothesis
    has_new: bool


class EndpointDetector:
    """Decides when an utterance starts, when the hands pause, and which rule ends the utterance.

    Args:
        options: the timeouts.
        recipe: recipe of the features.

    Attributes:
        motion: state of the hands.
    """

    def __init__(self, options: EndpointOptions, recipe: Recipe) -> None:
        self._options = options
        self.motion = HandMotion(recipe, options.absent_timeout, options.rest_share)
        self.restart()

    def reset(self) -> None:
        """Start a new stream, in which the first frame with hands starts an utterance."""
        self.motion.reset()
        self.restart()

    def restart(self) -> None:
        """Start a new utterance, but keep the motion of the hands."""
        self.motion.restart()
        self._emitted_early = False  # in this pause

    def push(self, frame: Floats, stamp: int) -> bool:
        """Process the next frame ``(42, 7)`` of the stream; return whether it starts an utterance.

        An utterance starts when hands appear, or when resting hands move again. A posture held
        since the last utterance does not start a new one.
        """
        return self.motion.push(frame, stamp) in (HandState.ENTERING, HandState.MOVING)

    def from_motion(self, length: float, stamp: int) -> Endpoint | None:
        """Apply the rules that depend only on the motion of the hands.

        Args:
            length: seconds since the utterance began.
            stamp: stamp of the latest frame.
        """
        if self.motion.absence(stamp) >= self._options.absent_timeout:
            return Endpoint.HANDS_ABSENT
        if self.motion.rest(stamp) >= self._options.trailing_silence_timeout:
            return Endpoint.TRAILING_SILENCE
        if length >= self._options.max_length:
            return Endpoint.MAX_LENGTH
        return None

    def pauses(self, stamp: int) -> bool:
        """Return whether the hands pause long enough for an early rule, at the latest frame."""
        if self._is_absent(stamp) or self.motion.rest(stamp) >= self._options.early_rest_timeout:
            return True
        self._emitted_early = False
        return False

    def from_glosses(self, stamp: int, evidence: Evidence) -> Endpoint | None:
        """Apply the early rules, which depend on the hypotheses so far, in a pause."""
        if self._emitted_early or not self._is_certain(evidence):
            return None
        self._emitted_early = True  # at most once per pause
        return Endpoint.EARLY_ABSENT if self._is_absent(stamp) else Endpoint.EARLY_REST

    def _is_absent(self, stamp: int) -> bool:
        return self.motion.absence(stamp) >= self._options.early_absent_timeout

    def _is_certain(self, evidence: Evidence) -> bool:
        """Return whether the new glosses do not depend on whether the utterance ends here."""
        ids, spans = evidence.end_hypothesis.ids, evidence.end_hypothesis.spans
        return (
            ids == evidence.partial
            and bool(spans)
            and spans[-1].confidence >= self._options.early_confidence
            and evidence.has_new
        )
