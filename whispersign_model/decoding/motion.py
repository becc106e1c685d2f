# SPDX-License-Identifier: MIT
"""Motion: whether hands are absent, come into view, move, rest or leave.

Energy-based voice activity detectors compare the signal with a noise floor that they estimate as a
running minimum (R. Martin, "Noise power spectral density estimation based on optimal smoothing and
minimum statistics", 2001). The same is done here with the speed of the hands.
"""

from enum import Enum

import numpy as np

from whispersign_model.arrays import Bools, Doubles, Floats
from whispersign_model.features.recipe import Recipe
from whispersign_model.skeleton import (
    CONFIDENCE,
    FEATURES,
    HANDS,
    JOINTS,
    JOINTS_PER_HAND,
    VELOCITY,
    WRIST,
)
from whispersign_model.timestamps import seconds

WINDOW = 0.2  # seconds over which the speed is averaged, which cancels most of the sensor noise
REST_SPEED = 0.35  # hand lengths/s; a resting hand drifts and trembles at up to this speed
NOISE_SHARE = 0.75  # a hand moves if its mean speed exceeds this share of the noise floor
NOISE_SECONDS = 2.0  # the noise floor is the least noise of the last one to two such periods
FASTEST_REST = 1.2  # hand lengths/s; a faster hand moves, however noisy or fast the stream is


class HandState(Enum):
    """What the hands do: the state of the more active hand."""

    ABSENT = "absent"  # no hand for absent_timeout
    ENTERING = "entering"  # a hand came into view less than WINDOW ago
    MOVING = "moving"
    RESTING = "resting"  # in view, and slower than the threshold
    LEAVING = "leaving"  # no hand, but for less than absent_timeout


class HandMotion:
    """Tracks the state of the hands in a stream.

    Speeds are in hand lengths per second: the root mean square over the joints of a hand. A hand
    moves if its speed and its mean speed both exceed a threshold. The mean over ``WINDOW`` ignores
    noise, and the speed itself shows the end of a movement at once. The threshold is the largest of
    ``REST_SPEED``, ``NOISE_SHARE`` of the noise floor, and ``rest_share`` of the top mean speed.
    Noise is the part of the speed that the mean cancels: a steady movement has none.

    Args:
        recipe: recipe of the features, to undo the scaling of the velocities.
        absent_timeout: seconds without a hand after which the hands are absent.
        rest_share: share of the top speed below which the hands rest.

    Attributes:
        state: state of the hands in the last frame.
        speed: speed of the faster hand in the last frame; 0 without a hand.
        last_tracked: stamp of the last frame with a hand.
        last_moving: stamp of the last frame in which a hand moved or came into view.
    """

    def __init__(self, recipe: Recipe, absent_timeout: float, rest_share: float) -> None:
        self._scale = _velocity_values(recipe.scale, 1.0)
        self._offset = _velocity_values(recipe.offset, 0.0)
        self._window = max(round(WINDOW * recipe.rate), 1)
        self._noise_frames = round(NOISE_SECONDS * recipe.rate)
        self._absent_timeout = absent_timeout
        self._rest_share = rest_share
        self.reset()

    def reset(self) -> None:
        """Start a new stream, in which the first hand comes into view."""
        self.state = HandState.ABSENT
        self.speed = 0.0
        self.last_tracked = self.last_moving = self._entered = 0
        self._velocities: Doubles = np.zeros((self._window, len(HANDS), JOINTS_PER_HAND, 3))
        self._tracked = np.zeros(len(HANDS), int)  # frames in a row with each hand
        self._lowest = self._lowest_before = np.inf
        self._counted = self._slot = 0
        self.restart()

    def restart(self) -> None:
        """Forget the top speed, at the start of an utterance."""
        self._top_speed = 0.0

    def push(self, frame: Floats, stamp: int) -> HandState:
        """Process the next frame ``(42, 7)`` of normalized features; return the new state."""
        present = frame[WRIST::JOINTS_PER_HAND, CONFIDENCE] > 0
        mean = self._mean_speed(frame, present)
        if not present.any():
            gone = seconds(stamp - self.last_tracked) >= self._absent_timeout
            absent = gone or self.state is HandState.ABSENT
            self.state = HandState.ABSENT if absent else HandState.LEAVING
            return self.state
        if self.state is HandState.ABSENT:
            self._entered = stamp
        self.last_tracked = stamp
        self._top_speed = max(self._top_speed, mean)
        if min(mean, self.speed) > self._threshold():
            self.state = HandState.MOVING
        elif seconds(stamp - self._entered) < WINDOW:
            self.state = HandState.ENTERING
        else:
            self.state = HandState.RESTING
        if self.state is not HandState.RESTING:
            self.last_moving = stamp
        return self.state

    def rest(self, stamp: int) -> float:
        """Return the seconds since a hand last moved."""
        return seconds(stamp - self.last_moving)

    def absence(self, stamp: int) -> float:
        """Return the seconds since the last frame with a hand."""
        return seconds(stamp - self.last_tracked)

    def _threshold(self) -> float:
        """Return the speed above which a hand moves."""
        noise = min(self._lowest, self._lowest_before) if self._lowest_before < np.inf else 0.0
        relative = max(NOISE_SHARE * noise, self._rest_share * self._top_speed)
        return min(max(REST_SPEED, relative), FASTEST_REST)

    def _mean_speed(self, frame: Floats, present: Bools) -> float:
        """Return the faster hand's mean speed over the window, and update the noise floor."""
        known = frame[:, CONFIDENCE, None] > 0
        velocities = (frame[:, VELOCITY] * self._scale + self._offset) * known
        hands = velocities.reshape(len(HANDS), JOINTS_PER_HAND, 3)
        hands[:, WRIST + 1 :] += hands[:, WRIST, None]  # relative to the wrist until here
        self.speed = float(_root_mean_square(hands).max()) if present.any() else 0.0
        self._slot = (self._slot + 1) % self._window
        self._velocities[self._slot] = hands
        self._velocities[:, ~present] = 0
        self._tracked = np.where(present, np.minimum(self._tracked + 1, self._window), 0)
        means = self._velocities.sum(axis=0) / np.maximum(self._tracked, 1)[:, None, None]
        speed = float(_root_mean_square(means).max())
        if self._tracked.max() == self._window:
            self._count_noise(float(np.sqrt(max(self.speed**2 - speed**2, 0.0))))
        return speed

    def _count_noise(self, noise: float) -> None:
        self._lowest = min(self._lowest, noise)
        self._counted += 1
        if self._counted == self._noise_frames:
            self._lowest_before, self._lowest = self._lowest, np.inf
            self._counted = 0


def _root_mean_square(velocities: Doubles) -> Doubles:
    """Return the root mean square speed ``(2,)`` of the joints of each hand ``(2, 21, 3)``."""
    speeds: Doubles = np.sqrt(np.square(velocities).sum(axis=-1).mean(axis=-1))
    return speeds


def _velocity_values(values: object, default: float) -> Doubles:
    """Return a recipe's offset or scale of the velocities, ``(42, 3)``."""
    if values is None:
        return np.full((JOINTS, 3), default)
    table: Doubles = np.broadcast_to(np.array(values), (JOINTS, FEATURES))
    return table[:, VELOCITY].copy()
