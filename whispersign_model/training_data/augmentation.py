# SPDX-License-Identifier: MIT
"""Augmentation: vary training clips at random, in meters and before normalization."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.random import Generator
from pydantic import AfterValidator, ConfigDict, Field

from whispersign_model.arrays import Doubles
from whispersign_model.configuration import StrictModel, validate
from whispersign_model.features.planes import frames_of, planes
from whispersign_model.skeleton import FINGERS, HANDS, JOINTS, JOINTS_PER_HAND, LEFT, RIGHT, WRIST
from whispersign_model.training_data.variations import (
    Array,
    Motion,
    hand_length,
    interpolate,
    linear_map,
    mirrored,
    palm_axes,
    scale_motion,
    simulate_frame_rate,
    swapped_hands,
)


def _in_order(factors: tuple[float, float]) -> tuple[float, float]:
    if not 0 < factors[0] <= factors[1]:
        raise ValueError("give the slowest factor, above 0, and then the fastest")
    return factors


Probability = Annotated[float, Field(ge=0, le=1)]
Spread = Annotated[float, Field(ge=0)]
Factors = Annotated[tuple[float, float], AfterValidator(_in_order)]
EARLIEST_HOLD = 0.4  # share of a sign before which a stop gives the sign up
WRISTS = np.arange(JOINTS) % JOINTS_PER_HAND == WRIST


@dataclass(frozen=True)
class Pace:
    """The random times at which a clip is sampled, which depend on its length alone.

    Attributes:
        first: fractional frame at which the varied clip starts.
        span: number of original frames that the varied clip covers.
        count: number of frames in the varied clip.
        time_shift: time shift at the middle of the clip, as a share of the span.
        jitter: standard deviation of the time of each frame, in frames.
        hold_at: share of the varied clip at which the hands stop.
        hold: number of frames for which they stop.
        withdraws: whether the hands go back the way they came after the last frame.
    """

    first: float
    span: float
    count: int
    time_shift: float
    jitter: float
    hold_at: float = 1.0
    hold: int = 0
    withdraws: bool = False

    @property
    def frames(self) -> int:
        """The number of frames with the hold and the withdrawal."""
        return self.count + self.hold + (self.count - 1 if self.withdraws else 0)

    def times(self, generator: Generator) -> Doubles:
        """Return the fractional frames ``(frames,)`` to sample."""
        times = self._moving(generator)
        stop = round(self.hold_at * (self.count - 1))
        held = np.insert(times, stop, np.full(self.hold, times[stop]))
        return np.concatenate([held, times[-2::-1]]) if self.withdraws else held

    def _moving(self, generator: Generator) -> Doubles:
        """Return the fractional frames ``(count,)`` without a hold, in order of time."""
        phase = np.arange(self.count) / max(self.count - 1, 1)
        times = self.first + self.span * (phase + self.time_shift * np.sin(np.pi * phase))
        if self.jitter:
            times = np.sort(times + generator.normal(0, self.jitter, self.count))
        return times.clip(self.first, self.first + self.span)


class Augmentation(StrictModel):
    """Strengths of all variations; 0 disables a variation.

    Attributes:
        rotation: standard deviation of the rotation about each axis, in degrees.
        scale: standard deviation of the logarithm of the overall size.
        stretch: standard deviation of the logarithm of the size along each axis.
        shear: standard deviation of the slant of each axis along each other axis.
        shift: standard deviation of the position of both hands together, in hand lengths.
        hand_shift: standard deviation of the position of each hand, in hand lengths.
        hand_shape_jitter: standard deviation of a fingertip's offset along each axis of the palm,
            in hand lengths, which imitates another person's hand. The offset is constant within a
            clip and half as large at an MCP joint.
        trajectory_scale: standard deviation of the logarithm of a factor on the distance of each
            hand from the middle of its trajectory.
        pose_scale: standard deviation of the logarithm of a factor on the distance of each joint
            from its mean position relative to the wrist.
        speed: largest change of speed as a factor (0.3 means 0.77 to 1.3 times as fast), or the
            slowest and the fastest factor (such as [0.5, 1.5]). The logarithm of the factor is
            uniform.
        warp: largest local shift in time, as a share of the clip.
        jitter: standard deviation of the time of each frame, in seconds.
        crop: largest share of the clip that is cut from either end.
        camera: probability that a slower camera is simulated and its frames are resampled.
        camera_rate: frame rate of that camera in Hz.
        noise: standard deviation of the noise on every joint position, in hand lengths.
        joint_mask: probability that a joint other than a wrist is hidden in the whole clip.
        finger_mask: probability that one finger of a hand is hidden in the whole clip.
        frame_mask: probability that a hand is hidden for up to ``mask_length``.
        mask_length: longest time that a hand is hidden, in seconds.
        hand_drop: probability that the less tracked hand is removed.
        mirror: probability that the clip is mirrored left to right.
        unmirrored: glosses that are never mirrored because their side has a meaning.
        swap_hands: probability of a simulated handedness error: the hands exchange slots but keep
            their positions, either in the whole clip or, equally often, in a part of it.
        sentence: probability that other signs by the same signer follow an isolated sign.
        sentence_signs: largest number of signs in such a sentence.
        repeat: probability that a following sign repeats the same gloss.
        idle: probability of a pause at each end of such a sentence and between its signs. In a
            pause, the hands rest or are out of view.
        idle_seconds: longest such pause, in seconds.
        distractor_segments: probability, at the same places, of one to three unlabeled fragments of
            signs by the same signer, each shorter than 0.35 s.
        hold: probability that the hands stop within a sign, for up to ``hold_seconds``.
        hold_seconds: longest such stop, in seconds.
        reject: probability that a clip is replaced by movement that is not a sign: idle movement, a
            sign that is abandoned after its first part, or hand shapes and trajectories that do not
            belong together.
        window: probability that a sentence with known gloss times is cut to a window.
        window_seconds: length of that window, in seconds.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    rotation: Spread = 10.0
    scale: Spread = 0.1
    stretch: Spread = 0.05
    shear: Spread = 0.0
    shift: Spread = 0.3
    hand_shift: Spread = 0.1
    hand_shape_jitter: Spread = 0.0
    trajectory_scale: Spread = 0.0
    pose_scale: Spread = 0.0
    speed: Spread | Factors = 0.3
    warp: Annotated[float, Field(ge=0, lt=0.3)] = 0.05
    jitter: Annotated[float, Field(ge=0, le=0.1)] = 0.0
    crop: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    camera: Probability = 0.0
    camera_rate: Annotated[float, Field(ge=10, le=60)] = 30.0
    noise: Spread = 0.002
    joint_mask: Probability = 0.0
    finger_mask: Probability = 0.1
    frame_mask: Probability = 0.2
    mask_length: Annotated[float, Field(gt=0, le=2)] = 0.15
    hand_drop: Probability = 0.0
    mirror: Probability = 0.0
    unmirrored: tuple[str, ...] = ()
    swap_hands: Probability = 0.0
    sentence: Probability = 0.0
    sentence_signs: Annotated[int, Field(ge=2, le=20)] = 4
    repeat: Probability = 0.1
    idle: Probability = 0.0
    idle_seconds: Annotated[float, Field(gt=0, le=10)] = 1.0
    distractor_segments: Probability = 0.0
    hold: Probability = 0.0
    hold_seconds: Annotated[float, Field(gt=0, le=10)] = 1.5
    reject: Probability = 0.0
    window: Probability = 0.0
    window_seconds: Annotated[float, Field(gt=0, le=60)] = 3.0

    def changed(self, **fields: Any) -> Augmentation:
        """Return a copy with some fields replaced, validated like a new augmentation.

        Raises:
            ConfigError: a value is invalid; the message names the field and the allowed values.
        """
        return validate(Augmentation, {**self.model_dump(), **fields}, "augmentation")

    def __call__(
        self,
        positions: Array,
        confidence: Array,
        rate: float,
        generator: Generator,
        least_frames: int = 1,
    ) -> Motion:
        """Vary a single clip.

        Args:
            positions: ``(T, 42, 3)`` in meters, 0 where not tracked.
            confidence: ``(T, 42)``.
            rate: frames per second.
            generator: the source of all randomness.
            least_frames: minimum number of frames in the varied clip.

        Returns:
            positions ``(T', 42, 3)`` and confidence ``(T', 42)`` of the varied clip.
        """
        pace = self.pace(len(positions), rate, generator, least_frames)
        positions, confidence = interpolate(positions, confidence, pace.times(generator))
        return self.vary(positions, confidence, rate, generator)

    def pace(self, frames: int, rate: float, generator: Generator, least_frames: int = 1) -> Pace:
        """Draw crop, speed, warp and jitter for a clip with this number of frames."""
        first, last = (self.crop * (frames - 1) * generator.random(2)).tolist()
        span = frames - 1 - first - last
        slowest, fastest = self._speeds()
        speed = math.exp(generator.uniform(math.log(slowest), math.log(fastest)))
        count = max(least_frames, round(span / speed) + 1)
        time_shift = float(generator.uniform(-self.warp, self.warp))
        pace = Pace(first, span, count, time_shift, self.jitter * rate)
        if self.hold and generator.random() < self.hold:
            frames = round(generator.uniform(0, self.hold_seconds) * rate)
            return replace(pace, hold_at=float(generator.uniform(EARLIEST_HOLD, 1)), hold=frames)
        return pace

    def _speeds(self) -> tuple[float, float]:
        if isinstance(self.speed, tuple):
            return self.speed
        return 1 / (1 + self.speed), 1 + self.speed

    def vary(
        self,
        positions: Array,
        confidence: Array,
        rate: float,
        generator: Generator,
        may_mirror: bool = True,
        plane: float = 0.0,
    ) -> Motion:
        """Apply all variations except those of time.

        Args:
            positions: ``(T, 42, 3)`` in meters; may be modified in place.
            confidence: ``(T, 42)``; may be modified in place.
            rate: frames per second.
            generator: the source of all randomness.
            may_mirror: whether mirroring is allowed.
            plane: x coordinate of the mirror plane in meters.
        """
        if self.camera and generator.random() < self.camera and self.camera_rate < rate:
            positions, confidence = simulate_frame_rate(
                positions, confidence, rate, self.camera_rate, generator
            )
        positions = self._vary_space(positions, confidence, generator)
        confidence = self._hide(confidence, rate, generator)
        if generator.random() < self.mirror and may_mirror:
            positions, confidence = mirrored(positions, confidence, plane)
        if generator.random() < self.swap_hands:
            first, end = np.sort(generator.integers(len(positions) + 1, size=2)).tolist()
            mistaken = slice(None) if generator.random() < 0.5 else slice(first, end)
            positions, confidence = swapped_hands(positions, confidence, mistaken)
        seen = (confidence > 0).astype(np.float32)
        return frames_of(planes(positions) * seen), confidence

    def _vary_space(self, positions: Array, confidence: Array, generator: Generator) -> Array:
        """Rotate, scale, shear and shift the hands about their common center, and add noise."""
        seen = np.count_nonzero(confidence)
        if not seen:
            return positions
        places = planes(positions)
        if self.trajectory_scale or self.pose_scale:
            factors = np.exp(
                generator.normal(0, (self.trajectory_scale, self.pose_scale), (len(HANDS), 2))
            )
            places = scale_motion(places, confidence, factors.astype(np.float32))
        centre = places.reshape(3, -1).sum(axis=1, dtype=np.float64) / seen
        hand = hand_length(positions, confidence)
        angles = np.deg2rad(generator.normal(0, self.rotation, 3))
        sizes = np.exp(generator.normal(0, self.scale) + generator.normal(0, self.stretch, 3))
        matrix = linear_map(angles, generator.normal(0, self.shear, (3, 3)), sizes)
        shift = generator.normal(0, self.shift, 3) * hand
        centres = centre - matrix @ centre + shift
        centres = centres + generator.normal(0, self.hand_shift, (len(HANDS), 3)) * hand
        moved: Array = (matrix @ places.reshape(3, -1)).reshape(places.shape)
        if self.hand_shape_jitter:
            moved += self._other_hands(moved, np.float32(hand * sizes.mean()), generator)
        if self.noise:
            noise = generator.standard_normal(positions.shape, dtype=np.float32)
            noise *= np.float32(self.noise * hand)
            for axis, plane in enumerate(moved):
                plane += noise[..., axis]
        moved += np.repeat(centres, JOINTS_PER_HAND, axis=0).astype(np.float32).T[:, None]
        return frames_of(moved)

    def _other_hands(self, places: Array, hand: np.floating[Any], generator: Generator) -> Array:
        """Return joint offsets ``(3, T, 42)`` that imitate another person's hands."""
        offsets = (
            generator.normal(0, self.hand_shape_jitter / 2, (len(HANDS), JOINTS_PER_HAND, 3)) * hand
        )
        offsets[:, WRIST] = 0
        for finger in FINGERS.values():  # offsets accumulate from joint to joint
            offsets[:, finger] = offsets[:, finger].cumsum(axis=1)
        by_hand = np.einsum("axth,hja->xthj", palm_axes(places), offsets.astype(np.float32))
        return by_hand.reshape(places.shape)

    def _hide(self, confidence: Array, rate: float, generator: Generator) -> Array:
        """Hide joints, a finger, a time interval, or the less tracked hand."""
        confidence = confidence.copy()
        presence = [np.count_nonzero(confidence[:, joints]) for joints in (LEFT, RIGHT)]
        if min(presence) > 0 and generator.random() < self.hand_drop:
            confidence[:, (LEFT, RIGHT)[int(np.argmin(presence))]] = 0
        if self.joint_mask:
            confidence[:, (generator.random(JOINTS) < self.joint_mask) & ~WRISTS] = 0
        for start, joints in ((0, LEFT), (JOINTS_PER_HAND, RIGHT)):
            if generator.random() < self.finger_mask:
                finger = list(FINGERS.values())[int(generator.integers(len(FINGERS)))]
                confidence[:, start + finger[0] : start + finger[-1] + 1] = 0
            if generator.random() < self.frame_mask:
                length = int(generator.uniform(0, self.mask_length) * rate)
                first = int(generator.integers(max(1, len(confidence) - length)))
                confidence[first : first + length, joints] = 0
        return confidence
