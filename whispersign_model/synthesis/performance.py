# SPDX-License-Identifier: MIT
"""A performance: the true movement of both hands, before a sensor records it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation, Slerp

from whispersign_model.arrays import Doubles
from whispersign_model.skeleton import HANDS
from whispersign_model.synthesis.hand import HandGeometry, clamp, joint_positions, mirrored
from whispersign_model.synthesis.hand_trajectory import GRID, HandTrajectory, minimum_jerk

# Peak values of a minimum-jerk transition at tempo 1.
PEAK_SPEED = 1.3  # m/s, wrist
PEAK_ACCELERATION = 14.0  # m/s^2, wrist
PEAK_TURN = 9.0  # rad/s, whole hand
PEAK_BEND = 13.0  # rad/s, any finger joint
SHORTEST = 0.14  # seconds
JERK_SPEED = 1.875  # peak speed of a minimum-jerk movement of length 1 and duration 1
JERK_ACCELERATION = 5.7735  # peak acceleration of the same movement

DRIFT_FREQUENCIES = np.array([0.23, 0.61, 1.3, 2.1])  # Hz; drift of a hand held still
DRIFT_WRIST = 0.0012  # meters at each frequency
DRIFT_TURN = np.deg2rad(0.5)
DRIFT_FINGERS = np.deg2rad(0.6)


@dataclass(frozen=True)
class SignInterval:
    """A gloss, with the start and end of its stroke in seconds."""

    gloss: str
    start: float
    end: float


@dataclass(frozen=True)
class Performance:
    """Trajectories of both hands on a common grid of ``GRID`` Hz.

    Attributes:
        trajectories: trajectories of the left and the right hand, each in dominant space, where a
            left hand is its mirror image.
        geometry: bone lengths of the signer's hands.
        signs: the labels in order.
    """

    trajectories: tuple[HandTrajectory, HandTrajectory]
    geometry: HandGeometry
    signs: tuple[SignInterval, ...]

    @property
    def duration(self) -> float:
        """The seconds from the first sample to the last."""
        return (len(self.trajectories[0]) - 1) / GRID

    def joints(self, times: Doubles) -> Doubles:
        """Return joint positions ``(T, 2 hands, 21, 3)`` in meters, sensor frame, at ``times``.

        Times outside the performance yield its first or last posture.
        """
        hands = []
        for name, trajectory in zip(HANDS, self.trajectories):
            sampled = _sampled(trajectory, times)
            joints = joint_positions(self.geometry, sampled.angles, sampled.rotation, sampled.wrist)
            hands.append(mirrored(joints) if name == "left" else joints)
        return np.stack(hands, axis=1)


def _sampled(trajectory: HandTrajectory, times: Doubles) -> HandTrajectory:
    """Interpolate a trajectory linearly at times ``(T,)`` in seconds."""
    place = np.clip(times * GRID, 0, len(trajectory) - 1)
    before = np.minimum(place.astype(np.int64), max(len(trajectory) - 2, 0))
    after = np.minimum(before + 1, len(trajectory) - 1)
    weight = (place - before)[:, None]
    mixed = [
        (1 - weight.reshape(-1, *[1] * (values.ndim - 1))) * values[before]
        + weight.reshape(-1, *[1] * (values.ndim - 1)) * values[after]
        for values in (trajectory.wrist, _quaternions(trajectory.rotation), trajectory.angles)
    ]
    return HandTrajectory(mixed[0], Rotation.from_quat(mixed[1]), mixed[2])


def transition_samples(first: HandTrajectory, second: HandTrajectory, tempo: float) -> int:
    """Return the number of samples from the end of ``first`` to the start of ``second``."""
    distance = float(np.linalg.norm(second.wrist[0] - first.wrist[-1]))
    bend = float(np.abs(second.angles[0] - first.angles[-1]).max())
    turn = float((first.rotation[-1].inv() * second.rotation[0]).magnitude())
    seconds = max(
        SHORTEST,
        JERK_SPEED * distance / PEAK_SPEED,
        float(np.sqrt(JERK_ACCELERATION * distance / PEAK_ACCELERATION)),
        JERK_SPEED * turn / PEAK_TURN,
        JERK_SPEED * bend / PEAK_BEND,
    )
    return int(np.ceil(seconds / tempo * GRID))


def transition(
    first: HandTrajectory, second: HandTrajectory, samples: int, swing: Doubles | None = None
) -> HandTrajectory:
    """Return a minimum-jerk movement from the end of ``first`` to the start of ``second``.

    Args:
        first: trajectory before the transition.
        second: trajectory after the transition.
        samples: number of samples in the movement, without its end points.
        swing: ``(3,)`` meters by which the middle of the path bends sideways.
    """
    phase = np.arange(1, samples + 1) / (samples + 1)
    progress = minimum_jerk(phase)
    wrist = first.wrist[-1] + progress[:, None] * (second.wrist[0] - first.wrist[-1])
    if swing is not None:
        wrist = wrist + (np.sin(np.pi * phase) ** 2)[:, None] * swing
    angles = first.angles[-1] + progress[:, None, None] * (second.angles[0] - first.angles[-1])
    ends = Rotation.concatenate([first.rotation[-1], second.rotation[0]])
    return HandTrajectory(wrist, Slerp([0, 1], ends)(progress), angles)


def blended(trajectory: HandTrajectory, seconds: float) -> HandTrajectory:
    """Blend adjacent postures with a Gaussian of standard deviation ``seconds``."""

    def smooth(values: Doubles) -> Doubles:
        return np.asarray(gaussian_filter1d(values, seconds * GRID, axis=0, mode="nearest"))

    rotation = Rotation.from_quat(smooth(_quaternions(trajectory.rotation)))
    return replace(
        trajectory,
        wrist=smooth(trajectory.wrist),
        rotation=rotation,
        angles=smooth(trajectory.angles),
    )


def _quaternions(rotations: Rotation) -> Doubles:
    """Return quaternions ``(N, 4)``, with signs that keep consecutive ones close."""
    quaternions = rotations.as_quat()
    dots = np.einsum("ij,ij->i", quaternions[1:], quaternions[:-1])
    signs = np.cumprod(np.concatenate([[1.0], np.where(dots < 0, -1.0, 1.0)]))
    return np.asarray(quaternions * signs[:, None])


def drifting(trajectory: HandTrajectory, rng: Generator, amount: float) -> HandTrajectory:
    """Add the slow drift of a real hand; an ``amount`` of 0 changes nothing."""
    if amount == 0:
        return trajectory
    count = len(trajectory)
    seconds = np.arange(count) / GRID

    def wander(channels: int, deviation: float) -> Doubles:
        phases = rng.uniform(0, 2 * np.pi, size=(len(DRIFT_FREQUENCIES), channels))
        sizes = amount * deviation * rng.normal(size=phases.shape)
        turns = 2 * np.pi * DRIFT_FREQUENCIES[:, None] * seconds  # (frequencies, N)
        waves = np.einsum("fc,fn->nc", sizes * np.cos(phases), np.sin(turns))
        return np.asarray(waves + np.einsum("fc,fn->nc", sizes * np.sin(phases), np.cos(turns)))

    rotation = Rotation.from_euler("xyz", wander(3, DRIFT_TURN)) * trajectory.rotation
    angles = trajectory.angles + wander(20, DRIFT_FINGERS).reshape(count, 5, 4)
    return HandTrajectory(trajectory.wrist + wander(3, DRIFT_WRIST), rotation, clamp(angles))
