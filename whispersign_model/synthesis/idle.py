# SPDX-License-Identifier: MIT
"""Idle movements (resting, scratching, random), to train the blank and the rejection."""

import numpy as np
from numpy.random import Generator
from scipy.spatial.transform import Rotation

from whispersign_model.errors import ConfigError
from whispersign_model.synthesis.hand import LIMITS, clamp
from whispersign_model.synthesis.hand_trajectory import GRID, HandTrajectory, SignAnimator
from whispersign_model.synthesis.performance import transition, transition_samples

IDLE_KINDS = ("rest", "scratch", "random")
RANDOM_LOW = np.array([-0.02, 0.12, -0.10])  # corners of random movement, in meters
RANDOM_HIGH = np.array([0.26, 0.42, 0.14])
SCRATCH_BEND = np.deg2rad(22.0)
SCRATCH_RATE = 4.0  # Hz


def idle_trajectories(
    kind: str, seconds: float, animator: SignAnimator, rng: Generator
) -> tuple[HandTrajectory, HandTrajectory]:
    """Return the trajectories of both hands (dominant, other) for an idle movement.

    Raises:
        ConfigError: ``kind`` is not one of ``IDLE_KINDS``.
    """
    samples = max(round(seconds * GRID), 2)
    if kind == "rest":
        ready = animator.posture("relaxed", "down", "forward", "ready", samples)
        return ready, ready
    if kind == "scratch":
        return _scratch(samples, animator, rng)
    if kind == "random":
        return _random(samples, animator, rng), _random(samples, animator, rng)
    raise ConfigError(kind, "is not an idle movement", f"choose from {', '.join(IDLE_KINDS)}")


def _scratch(
    samples: int, animator: SignAnimator, rng: Generator
) -> tuple[HandTrajectory, HandTrajectory]:
    """Scratch the back of one hand with the bent fingers of the other."""
    base = animator.posture("relaxed", "down", "in", "base", samples)
    hand = animator.posture("claw", "down", "forward", "above", samples)
    seconds = np.arange(samples) / GRID
    fade = np.sin(np.pi * np.linspace(0, 1, samples)) ** 0.5
    turns = 2 * np.pi * SCRATCH_RATE * rng.uniform(0.8, 1.2) * seconds
    angles = hand.angles.copy()
    angles[:, 1:, 2] += (fade * SCRATCH_BEND * np.sin(turns))[:, None]
    return HandTrajectory(hand.wrist, hand.rotation, clamp(angles)), base


def _random(samples: int, animator: SignAnimator, rng: Generator) -> HandTrajectory:
    """Move between random positions, orientations and postures."""
    relaxed = animator.lexicon.handshapes["relaxed"].radians()
    parts: list[HandTrajectory] = []
    total = 0
    while total < samples:
        loose = relaxed + rng.uniform(0.2, 0.9) * (
            rng.uniform(LIMITS[..., 0], LIMITS[..., 1]) - relaxed
        )
        place = HandTrajectory(
            rng.uniform(RANDOM_LOW, RANDOM_HIGH)[None],
            Rotation.from_quat(np.roll(rng.normal(size=(1, 4)), -1, axis=1)),
            clamp(loose)[None],
        ).held(0, max(round(rng.uniform(0.0, 0.3) * GRID), 1))
        if parts:
            slowness = rng.uniform(0.4, 1.0)
            parts.append(
                transition(parts[-1], place, transition_samples(parts[-1], place, slowness))
            )
        parts.append(place)
        total = sum(len(part) for part in parts)
    return HandTrajectory.joined(parts).first(samples)
