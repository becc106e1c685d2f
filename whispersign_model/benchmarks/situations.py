# SPDX-License-Identifier: MIT
"""Situations in a room, made from recordings of signs: rest, holds, other sensors, visitors."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.random import Generator

from whispersign_model.arrays import Floats, Ints
from whispersign_model.recordings.recording import Coordinates, Recording, joined
from whispersign_model.recordings.recording import median_wrist as median_wrist_of
from whispersign_model.synthesis.camera import image_heights
from whispersign_model.timestamps import NANOSECONDS
from whispersign_model.training_data.postures import Postures, begun_frames

RATE = 60.0  # frames per second of frames without a recording
CAMERA_RATE = 30.0  # frames per second


def tracked_frames(recording: Recording) -> Ints:
    """Return the indices of the frames with a hand."""
    return np.flatnonzero(recording.confidence.any(axis=1))


def posture(recording: Recording, share: float) -> int:
    """Return the frame at a share (0 to 1) of the frames with a hand.

    Raises:
        ValueError: the recording has no such frame.
    """
    frames = tracked_frames(recording)
    if not len(frames):
        raise ValueError(f"{recording.name} has no frame with a hand")
    return int(frames[min(int(share * len(frames)), len(frames) - 1)])


def motionless(
    recording: Recording,
    frame: int,
    seconds: float,
    noise: float,
    generator: Generator,
    rate: float = RATE,
) -> Recording:
    """Return a hand that keeps the posture of a frame, with tracking noise.

    Args:
        recording: any recording.
        frame: index of the frame, whose stamp is that of the first frame returned.
        seconds: length of the result.
        noise: standard deviation of each coordinate in the units of the recording.
        generator: source of the noise.
        rate: frames per second.
    """
    stamps = recording.stamps[frame] + _steps(round(seconds * rate) + 1, rate)
    confidence = np.tile(recording.confidence[frame], (len(stamps), 1))
    positions = np.tile(recording.positions[frame], (len(stamps), 1, 1))
    if noise:
        drawn = generator.standard_normal(positions.shape, dtype=np.float32)
        positions = positions + np.float32(noise) * drawn * (confidence > 0)[..., None]
    return replace(
        recording, stamps=stamps, positions=positions, confidence=confidence, segments=()
    )


def _steps(count: int, rate: float) -> Ints:
    """Return the times of frames in nanoseconds from the first one."""
    return np.round(np.arange(count) * (NANOSECONDS / rate)).astype(np.int64)


def part(recording: Recording, frames: slice | Ints) -> Recording:
    """Return some frames of a recording, without its segments."""
    return replace(
        recording,
        stamps=recording.stamps[frames],
        positions=recording.positions[frames],
        confidence=recording.confidence[frames],
        segments=(),
    )


def held(
    recording: Recording, share: float, seconds: float, noise: float, generator: Generator
) -> Recording:
    """Return a recording whose hands stop for some time at a share of the sign, and go on."""
    frame = posture(recording, share)
    rate = recording.frame_rate or RATE
    stop = motionless(recording, frame, seconds, noise, generator, rate)
    delay = int(stop.stamps[-1] - stop.stamps[0])
    rest = part(recording, slice(frame + 1, None)).shifted(delay)
    whole = joined([part(recording, slice(frame + 1)), part(stop, slice(1, None)), rest])
    at = int(recording.stamps[frame])
    segments = [
        replace(s, start=s.start + (s.start > at) * delay, end=s.end + (s.end > at) * delay)
        for s in recording.segments
    ]
    return replace(whole, segments=tuple(segments))


def comes_to_rest(
    recording: Recording, share: float, seconds: float, noise: float, generator: Generator
) -> tuple[Recording, int]:
    """Return a hand that begins a sign, stops at a share of it, and rests; also when it stops.

    Args:
        recording: recording of the sign.
        share: share of the frames with a hand after which it stops.
        seconds: length of the rest.
        noise: standard deviation of each coordinate in the units of the recording.
        generator: source of the noise.

    Returns:
        the recording, and the stamp at which the hand comes to rest.
    """
    first, frame = posture(recording, 0.0), posture(recording, share)
    coming = part(recording, slice(first, frame))
    rest = motionless(recording, frame, seconds, noise, generator)
    return joined([coming, rest]), int(recording.stamps[frame])


def absent(recording: Recording, seconds: float) -> Recording:
    """Return frames without a hand that continue a recording."""
    count = round(seconds * RATE)
    stamps = recording.stamps[-1] + _steps(count + 1, RATE)[1:]
    return replace(
        recording,
        stamps=stamps,
        positions=np.zeros((count, *recording.positions.shape[1:]), np.float32),
        confidence=np.zeros((count, recording.confidence.shape[1]), np.float32),
        segments=(),
    )


def followed_by(recording: Recording, other: Recording, gap: float) -> Recording:
    """Return a recording, hands out of view for ``gap`` seconds, and another recording."""
    away = absent(recording, gap)
    last = away if len(away) else recording
    start = int(last.stamps[-1]) + round(NANOSECONDS / RATE)
    return joined([recording, away, other.starting_at(start)])


def scaled(recording: Recording, factor: float) -> Recording:
    """Return the recording of a person who is larger by a factor."""
    return replace(recording, positions=(recording.positions * np.float32(factor)))


def at_rate(recording: Recording, rate: float, lost: float, generator: Generator) -> Recording:
    """Return the frames that a sensor with a lower frame rate delivers.

    Args:
        recording: a recording with a higher frame rate.
        rate: frames per second.
        lost: share of these frames that do not arrive.
        generator: chooses the first frame and the lost ones.
    """
    span = float(recording.stamps[-1] - recording.stamps[0])
    period = NANOSECONDS / rate
    times = recording.stamps[0] + np.arange(generator.uniform(0, period), span, period)
    rows = np.unique(np.searchsorted(recording.stamps, times).clip(0, len(recording) - 1))
    rows = rows[generator.random(len(rows)) >= lost]
    return replace(part(recording, rows), segments=recording.segments)


def as_camera_sees(recording: Recording, generator: Generator) -> Recording:
    """Return a recording in meters as a camera in front of the signer delivers it.

    See :func:`~whispersign_model.synthesis.camera.image_heights`.
    """
    positions = image_heights(recording.positions, recording.confidence)
    camera = replace(recording, positions=positions, coordinates=Coordinates.IMAGE_NORMALISED)
    if recording.frame_rate <= CAMERA_RATE:
        return camera
    return at_rate(camera, CAMERA_RATE, 0.0, generator)


def moved_to(recording: Recording, place: Floats) -> Recording:
    """Return the recording with the median of its tracked wrists at a place ``(3,)``."""
    shift = place - median_wrist([recording])
    seen = (recording.confidence > 0)[..., None]
    return replace(recording, positions=((recording.positions + shift) * seen).astype(np.float32))


def median_wrist(recordings: Sequence[Recording]) -> Floats:
    """Return the median place ``(3,)`` of the tracked wrists of all recordings."""
    return median_wrist_of((each.positions, each.confidence) for each in recordings)


def held_postures(recordings: Sequence[Recording]) -> Postures:
    """Return the hand shapes that signs hold still."""
    motions = [_hands(each) for each in recordings]
    return Postures((*motion, [(0, len(motion[0]))]) for motion in motions)


def stops_before_sign(recording: Recording, share: float, postures: Postures) -> bool:
    """Return whether a hand that stops after a share of a sign is not yet making any sign.

    Args:
        recording: the sign.
        share: share of the frames with a hand.
        postures: hand shapes that are signs, however the hand came there.
    """
    motion = _hands(recording)
    frames = begun_frames(*motion, share)
    return frames > 0 and not postures.include(*motion, frames - 1)


def _hands(recording: Recording) -> tuple[Floats, Floats]:
    """Return positions and confidence from the first to the last frame with a hand."""
    frames = slice(posture(recording, 0.0), posture(recording, 1.0) + 1)
    return recording.positions[frames], recording.confidence[frames]
