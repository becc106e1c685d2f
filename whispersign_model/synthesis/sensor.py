# SPDX-License-Identifier: MIT
"""The sensor model, which turns a performance into tracker output with noise and losses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.signal import lfilter

from whispersign_model.arrays import Bools, Doubles, Floats, Ints
from whispersign_model.skeleton import JOINTS, JOINTS_PER_HAND, WRIST
from whispersign_model.synthesis.performance import Performance
from whispersign_model.timestamps import NANOSECONDS

SENSORS = ("leap", "camera", "ideal")
TIP_NOISE = 1.4  # noise of a fingertip relative to the hand's; 0.8 at the wrist
NOISE_OF_HALF_CONFIDENCE = 0.01  # meters of noise at which a joint's confidence is one half
BURST_NOISE = 6.0  # noise factor at the middle of a burst
BURST_LENGTH = 0.25  # seconds
WANDER_CORRELATION = 0.15  # seconds; correlation time of the error that all joints of a hand share
ACQUISITION = 0.08  # seconds in view before tracking starts


@dataclass(frozen=True)
class SensorModel:
    """Properties of a hand tracker. Event rates are per second and per hand.

    Attributes:
        name: name of the sensor in the metadata of recordings.
        rate: frames per second.
        jitter: standard deviation of the stamps as a share of the frame interval.
        lost_frames: probability that a frame is missing.
        noise: standard deviation of joint positions in meters.
        depth_noise: factor on the noise along z, which is the depth axis of a camera.
        bursts: rate of noise bursts.
        dropouts, dropout_length: rate at which hands are lost, and mean duration of a loss in
            seconds.
        spikes, spike_size: rate of single outlier frames, and their standard deviation in meters.
        bounded: whether hands are tracked only in the field of view, a pyramid above the desk.
    """

    name: str = "leap"
    rate: float = 60.0
    jitter: float = 0.05
    lost_frames: float = 0.003
    noise: float = 0.0006
    depth_noise: float = 1.0
    bursts: float = 0.15
    dropouts: float = 0.05
    dropout_length: float = 0.08
    spikes: float = 0.03
    spike_size: float = 0.08
    bounded: bool = True

    @classmethod
    def named(cls, name: str, rate: float | None = None) -> SensorModel:
        """Return one of ``SENSORS``: "leap" (on the desk), "camera" (with MediaPipe) or "ideal"."""
        models = {
            "leap": cls(),
            "camera": cls(
                name="camera",
                rate=30.0,
                jitter=0.08,
                noise=0.002,
                depth_noise=3.0,
                bursts=0.4,
                dropouts=0.15,
                dropout_length=0.12,
            ),
            "ideal": cls.ideal(),
        }
        chosen = models[name]
        return chosen if rate is None else cls(**{**vars(chosen), "rate": rate})

    @classmethod
    def ideal(cls, rate: float = 60.0, bounded: bool = False) -> SensorModel:
        """Return a sensor without noise or losses, which sees everything unless it is bounded."""
        return cls(
            name="ideal", rate=rate, jitter=0.0, lost_frames=0.0, noise=0.0,
            bursts=0.0, dropouts=0.0, spikes=0.0, bounded=bounded,
        )  # fmt: skip

    def observe(
        self, performance: Performance, start: int, rng: Generator
    ) -> tuple[Ints, Floats, Floats]:
        """Return stamps ``(T,)`` in ns, positions ``(T, 42, 3)`` in m, and confidence ``(T, 42)``.

        Args:
            performance: the true movement.
            start: capture time at the start of the performance in nanoseconds.
            rng: source of all randomness.
        """
        stamps = self._stamps(performance.duration, rng)
        times = stamps / NANOSECONDS
        truth = performance.joints(times)  # (T, 2, 21, 3)
        tracked = self._tracked(truth, times, rng)  # (T, 2)
        noise = self._noise_level(times, rng)  # (T, 2, 21)
        seen = truth + self._errors(noise, times, rng)
        confidence = 1.0 / (1.0 + (noise / NOISE_OF_HALF_CONFIDENCE) ** 2)
        positions = np.where(tracked[..., None, None], seen, 0.0).reshape(-1, JOINTS, 3)
        confidence = np.where(tracked[..., None], confidence, 0.0).reshape(-1, JOINTS)
        return stamps + start, positions.astype(np.float32), confidence.astype(np.float32)

    def _stamps(self, duration: float, rng: Generator) -> Ints:
        count = int(duration * self.rate + 1e-9) + 1
        shift = np.clip(rng.normal(0.0, self.jitter, size=count), -0.4, 0.4)
        shift[0] = abs(shift[0])
        kept = rng.random(count) >= self.lost_frames
        kept[0] = True
        seconds = (np.arange(count) + shift) / self.rate
        return np.round(seconds[kept] * NANOSECONDS).astype(np.int64)

    def _tracked(self, truth: Doubles, times: Doubles, rng: Generator) -> Bools:
        tracked = np.ones(truth.shape[:2], dtype=bool)
        if self.bounded:
            tracked = in_view(truth.mean(axis=2))
            unseen = np.where(tracked, -np.inf, times[:, None])  # (T, 2)
            tracked &= times[:, None] - np.maximum.accumulate(unseen) >= ACQUISITION
        for hand in range(2):
            for moment in _moments(self.dropouts, times, rng):
                length = rng.exponential(self.dropout_length)
                tracked[:, hand] &= ~((times >= moment) & (times < moment + length))
        return tracked

    def _noise_level(self, times: Doubles, rng: Generator) -> Doubles:
        """Return the standard deviation ``(T, 2, 21)`` of the joint errors in meters."""
        level = np.ones((len(times), 2))
        for hand in range(2):
            for moment in _moments(self.bursts, times, rng):
                shape = np.exp(-0.5 * ((times - moment) / (BURST_LENGTH / 2)) ** 2)
                level[:, hand] += (BURST_NOISE - 1) * shape
        joint = np.ones(JOINTS_PER_HAND)
        joint[[4, 8, 12, 16, 20]] = TIP_NOISE
        joint[WRIST] = 0.8
        return np.asarray(self.noise * level[..., None] * joint)

    def _errors(self, noise: Doubles, times: Doubles, rng: Generator) -> Doubles:
        """Return position errors ``(T, 2, 21, 3)``: white per joint, slow per hand, plus spikes."""
        axes = np.array([1.0, 1.0, self.depth_noise])
        errors = rng.normal(size=(*noise.shape, 3)) * noise[..., None] * axes
        keep = np.exp(-1.0 / (self.rate * WANDER_CORRELATION))
        steps = rng.normal(size=(len(times), 2, 1, 3)) * np.sqrt(1 - keep**2)
        errors += (
            noise[:, :, WRIST, None, None] * axes * lfilter([1.0], [1.0, -keep], steps, axis=0)
        )
        for hand in range(2):
            for moment in _moments(self.spikes, times, rng):
                frame = int(np.searchsorted(times, moment))
                if frame < len(times):
                    errors[frame, hand] += rng.normal(0.0, self.spike_size, size=3)
        return np.asarray(errors)


def in_view(centres: Doubles) -> Bools:
    """Return whether hands at ``(..., 3)`` meters are in the field of view of a desktop Leap."""
    x, y, z = np.moveaxis(centres, -1, 0)
    return np.asarray(
        (y > 0.06) & (y < 0.75) & (np.abs(x) < 0.05 + 1.7 * y) & (np.abs(z) < 0.05 + 1.2 * y)
    )


def _moments(rate: float, times: Doubles, rng: Generator) -> Doubles:
    """Draw random times, in seconds, of events that occur at ``rate`` per second."""
    span = float(times[-1]) if len(times) else 0.0
    return np.sort(rng.uniform(0.0, span, size=rng.poisson(rate * span)))
