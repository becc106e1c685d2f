# SPDX-License-Identifier: MIT
"""Concatenation: join isolated signs into a stream, with natural transitions and pauses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from whispersign_model.arrays import AnyFloats, Doubles
from whispersign_model.skeleton import LEFT, RIGHT, WRIST
from whispersign_model.training_data.variations import Array, Motion

# A hand moves from sign to sign with minimum jerk (Flash and Hogan, J. Neurosci. 1985);
# the peaks are 1.3 m/s and 14 m/s^2 for a hand of 9 cm from wrist to middle MCP.
PEAK_SPEED = 14.0  # hand lengths per second
PEAK_ACCELERATION = 155.0  # hand lengths per second squared
PEAK_TURN = 9.0  # rad/s
JERK_SPEED, JERK_ACCELERATION = 1.875, 5.7735  # peaks of a movement of length 1 and duration 1
SHORTEST = 0.14  # shortest transition, seconds
TEMPO = (0.8, 1.5)  # random factor on the shortest duration that respects these peaks
SWING = 0.1  # sideways bend of a transition; standard deviation as a share of its length
TYPICAL = 0.35  # typical duration of a transition in seconds, for estimates
MEMORY = 3  # number of frames that determine the velocity at the end of a sign
COASTING = 0.08  # seconds; time constant of a hand that slows down out of view
REST_OFFSET = 0.5  # hand lengths between a sign and the place where the hand rests
DRIFT = 0.01  # drift of a resting hand at each frequency, in hand lengths
DRIFT_FREQUENCIES = np.array([0.23, 0.61, 1.3, 2.1])  # Hz


@dataclass(frozen=True)
class End:
    """Pose and velocity of both hands at the start or the end of a part of a stream.

    Attributes:
        positions: ``(42, 3)`` in meters.
        confidence: ``(42,)``.
        velocity: ``(42, 3)`` in meters per frame, 0 where unknown.
    """

    positions: Array
    confidence: Array
    velocity: Array

    @classmethod
    def of(cls, positions: Array, confidence: Array, fastest: float) -> End:
        """Return the first end of a clip; pass the clip reversed to get the last end.

        Args:
            positions: ``(T, 42, 3)`` in meters, starting at the end in question.
            confidence: ``(T, 42)`` in the same order.
            fastest: upper limit of the speed in meters per frame.
        """
        memory = min(MEMORY, len(positions) - 1)
        if not memory:
            return cls(positions[0], confidence[0], np.zeros_like(positions[0]))
        known = confidence[: memory + 1].min(axis=0) > 0
        velocity = (positions[memory] - positions[0]) / np.float32(memory) * known[:, None]
        speed = np.sqrt(np.square(velocity).sum(axis=-1, keepdims=True))
        velocity *= np.minimum(1, fastest / np.maximum(speed, 1e-12))
        return cls(positions[0], confidence[0], velocity)

    def seen(self, hand: slice) -> bool:
        """Return whether a hand is tracked."""
        return float(self.confidence[hand.start + WRIST]) > 0


@dataclass(frozen=True)
class Stream:
    """The joined parts of a stream.

    Attributes:
        positions, confidence: ``(T, 42, 3)`` in meters, and ``(T, 42)``.
        starts: first frame of each part.
    """

    positions: Array
    confidence: Array
    starts: tuple[int, ...]


def join(
    parts: Sequence[Motion], hand: float, rate: float, generator: Generator, least_frames: int = 1
) -> Stream:
    """Join clips of one signer with transitions between the poses.

    A hand tracked in both clips moves along a smooth curve that matches both poses and velocities,
    at a plausible speed, and turns and changes shape on the way. A hand tracked only in the first
    clip slows down and disappears; a hand tracked only in the second clip appears and speeds up.

    Args:
        parts: one or more clips.
        hand: hand length in meters, the unit of speed.
        rate: frames per second.
        generator: random source of the tempo and bend of each transition.
        least_frames: minimum number of frames in a transition.
    """
    fastest = PEAK_SPEED / 2 * hand / rate
    clips = [parts[0]]
    starts = [0]
    length = len(parts[0][0])
    for before, after in pairwise(parts):
        turned = End.of(before[0][::-1], before[1][::-1], fastest)
        leaving = End(turned.positions, turned.confidence, -turned.velocity)
        arriving = End.of(*after, fastest)
        tempo = generator.uniform(*TEMPO)
        seconds = transition_seconds(leaving, arriving, hand) * tempo
        frames = max(least_frames, round(seconds * rate))
        clips += [minimum_jerk_transition(leaving, arriving, frames, rate, generator), after]
        starts.append(length + frames)
        length += frames + len(after[0])
    positions = np.concatenate([clip[0] for clip in clips])
    return Stream(positions, np.concatenate([clip[1] for clip in clips]), tuple(starts))


def transition_seconds(leaving: End, arriving: End, hand: float) -> float:
    """Return the shortest duration, in seconds, in which both hands can make the transition."""
    seconds = SHORTEST
    for joints in (LEFT, RIGHT):
        if not (leaving.seen(joints) and arriving.seen(joints)):
            continue
        turn = float(np.linalg.norm(_turn(leaving, arriving, joints)))
        span = arriving.positions[joints][WRIST] - leaving.positions[joints][WRIST]
        distance = float(np.linalg.norm(span)) / hand
        seconds = max(
            seconds,
            JERK_SPEED * distance / PEAK_SPEED,
            (JERK_ACCELERATION * distance / PEAK_ACCELERATION) ** 0.5,
            JERK_SPEED * turn / PEAK_TURN,
        )
    return seconds


def minimum_jerk_transition(
    leaving: End, arriving: End, frames: int, rate: float, generator: Generator
) -> Motion:
    """Return the ``frames`` frames between two ends, without the ends themselves."""
    positions = np.zeros((frames, *leaving.positions.shape), np.float32)
    confidence = np.zeros((frames, len(leaving.confidence)), np.float32)
    for joints in (LEFT, RIGHT):
        goes, comes = leaving.seen(joints), arriving.seen(joints)
        if goes and comes:
            swing = generator.normal(0, SWING, 3)
            positions[:, joints] = _path(leaving, arriving, joints, frames, swing)
            share = (np.arange(1, frames + 1, dtype=np.float32) / (frames + 1))[:, None]
            first, last = leaving.confidence[joints], arriving.confidence[joints]
            both = (first > 0) & (last > 0)
            confidence[:, joints] = (first + share * (last - first)) * both
        elif goes or comes:
            end = leaving if goes else arriving
            shown = int(generator.integers(frames // 2 + 1))
            at = slice(shown) if goes else slice(frames - shown, frames)
            steps = np.arange(1, shown + 1) if goes else np.arange(-shown, 0)
            positions[at, joints] = _coasting(end, joints, steps, rate)
            confidence[at, joints] = end.confidence[joints]
    positions *= (confidence > 0)[..., None]
    return positions, confidence


def resting(pose: Motion, frames: int, hand: float, rate: float, generator: Generator) -> Motion:
    """Return frames in which the hands rest near a given pose, with slight drift.

    Args:
        pose: positions ``(42, 3)`` and confidence ``(42,)`` of a frame.
        frames: number of frames.
        hand: hand length in meters.
        rate: frames per second.
        generator: random source of the place and the drift.
    """
    positions, confidence = pose
    seconds = np.arange(frames) / rate
    phase = generator.uniform(0, 2 * np.pi, (len(DRIFT_FREQUENCIES), 6))
    size = generator.normal(0, DRIFT * hand, phase.shape)
    turns = 2 * np.pi * DRIFT_FREQUENCIES[:, None] * seconds
    drift = (size[..., None] * np.sin(turns[:, None] + phase[..., None])).sum(axis=0).T
    offset = generator.normal(0, REST_OFFSET * hand, 3) + drift.reshape(frames, 2, 3)
    stays = np.tile(confidence, (frames, 1))
    moved = positions + np.repeat(offset, len(positions) // 2, axis=1)
    return (moved * (stays > 0)[..., None]).astype(np.float32), stays


def away(frames: int, joints: int) -> Motion:
    """Return frames without a tracked hand."""
    return np.zeros((frames, joints, 3), np.float32), np.zeros((frames, joints), np.float32)


def _turn(leaving: End, arriving: End, joints: slice) -> Doubles:
    """Return the rotation vector ``(3,)`` that best aligns a hand's first pose with its second.

    This is the method of Kabsch (Acta Cryst. A 1976) about the wrist, over the joints tracked at
    both ends.
    """
    both = (leaving.confidence[joints] > 0) & (arriving.confidence[joints] > 0)
    first = (leaving.positions[joints] - leaving.positions[joints][WRIST])[both]
    last = (arriving.positions[joints] - arriving.positions[joints][WRIST])[both]
    left, _, right = np.linalg.svd(last.T.astype(float) @ first)
    sign = np.sign(np.linalg.det(left @ right)) or 1.0
    matrix = left * np.array([1, 1, sign]) @ right
    vector: Doubles = Rotation.from_matrix(matrix).as_rotvec()
    return vector


def _path(leaving: End, arriving: End, joints: slice, frames: int, swing: AnyFloats) -> Array:
    """Return the joints ``(frames, 21, 3)`` of one hand during a transition.

    The wrist follows a quintic polynomial in time that matches the velocities at both ends and has
    zero acceleration there. The hand turns about its wrist and changes shape along the same time
    course.
    """
    phase = np.arange(1, frames + 1) / (frames + 1)
    course = phase**3 * (10 - 15 * phase + 6 * phase**2)
    first_slope = (frames + 1) * phase * (1 - phase) ** 3 * (1 + 3 * phase)
    last_slope = -(frames + 1) * phase**3 * (1 - phase) * (4 - 3 * phase)
    start, end = leaving.positions[joints], arriving.positions[joints]
    shape_start, shape_end = start - start[WRIST], end - end[WRIST]
    vector = _turn(leaving, arriving, joints)
    whole = Rotation.from_rotvec(vector).as_matrix()
    turns = Rotation.from_rotvec(course[:, None] * vector).as_matrix()  # (frames, 3, 3)
    shape = shape_start + course[:, None, None] * (shape_end @ whole - shape_start)
    span = end[WRIST] - start[WRIST]
    wrist = start[WRIST] + course[:, None] * span
    wrist = wrist + np.sin(np.pi * phase)[:, None] ** 2 * swing * np.linalg.norm(span)
    moved = wrist[:, None] + shape @ turns.transpose(0, 2, 1)
    moved += first_slope[:, None, None] * leaving.velocity[joints]
    moved += last_slope[:, None, None] * arriving.velocity[joints]
    path: Array = moved.astype(np.float32)
    return path


def _coasting(end: End, joints: slice, steps: NDArray[np.intp], rate: float) -> Array:
    """Return the joints of a hand that slows down, ``steps`` frames after (or before) an end."""
    horizon = COASTING * rate
    way = np.sign(steps) * horizon * (1 - np.exp(-np.abs(steps) / horizon))
    moved: Array = (
        end.positions[joints]
        + way[:, None, None].astype(np.float32) * (end.velocity[joints][WRIST])
    )
    return moved
