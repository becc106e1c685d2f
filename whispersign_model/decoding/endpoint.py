"""Endpoints: when an utterance ends, decided on what the hands do and on stamps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from whispersign_model.skeleton import CONFIDENCE, VELOCITY


class EndpointOptions(BaseModel):
    """When an utterance ends; all times in seconds.

    Attributes:
        early_absent_timeout: no hand for so long ends an utterance that the network is sure of: it
            reads the same glosses whether the utterance ends there or goes on.
        early_rest_timeout: hands at rest for so long end such an utterance.
        early_confidence: the least confidence of the last gloss of such an utterance.
        absent_timeout: no hand for so long ends it in any case.
        trailing_silence_timeout: hands at rest and no further gloss for so long end it.
        rest_share: hands rest while they are slower than this share of the utterance's top speed.
        max_length: after so long it is cut between two glosses.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    early_absent_timeout: float = Field(default=0.25, gt=0, le=10)
    early_rest_timeout: float = Field(default=0.5, gt=0, le=10)
    early_confidence: float = Field(default=0.8, ge=0, le=1)
    absent_timeout: float = Field(default=0.5, gt=0, le=10)
    trailing_silence_timeout: float = Field(default=1.5, gt=0, le=10)
    rest_share: float = Field(default=0.1, ge=0, lt=1)
    max_length: float = Field(default=20.0, gt=1, le=60)


class Hands:
    """What the hands have done since the utterance began.

    Attributes:
        tracked: stamp of the last frame with a hand.
        moving: stamp of the last frame in which a hand moved.
    """

    def __init__(self, rest_share: float, stamp: int) -> None:
        self.tracked = self.moving = stamp
        self._rest_share = rest_share
        self._top_speed = 0.0

    def see(self, frame: NDArray[np.float32], stamp: int) -> float:
        """Take the next frame ``(42, 7)``; return the hands' speed in it."""
        if frame[:, CONFIDENCE].any():
            self.tracked = stamp
        pace = speed(frame)
        self._top_speed = max(self._top_speed, pace)
        if pace > self._rest_share * self._top_speed:
            self.moving = stamp
        return pace


def speed(frame: NDArray[np.float32]) -> float:
    """Root mean square of the velocity features of tracked joints in a frame ``(42, 7)``."""
    tracked = frame[frame[:, CONFIDENCE] > 0]
    return float(np.sqrt(np.square(tracked[:, VELOCITY]).mean())) if len(tracked) else 0.0
