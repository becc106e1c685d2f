# SPDX-License-Identifier: MIT
"""Individual variations of a clip in meters: time, motion, size, side and frame rate."""

import numpy as np
from numpy.random import Generator
from scipy.spatial.transform import Rotation

from whispersign_model.arrays import AnyFloats, Bools, Floats
from whispersign_model.features.planes import frames_of, planes
from whispersign_model.features.recipe import SensorRecipe
from whispersign_model.features.resampling import Resampler
from whispersign_model.skeleton import FINGERS, JOINTS_PER_HAND, LEFT, MIDDLE_MCP, RIGHT, WRIST
from whispersign_model.timestamps import NANOSECONDS

EXCHANGED = np.r_[RIGHT, LEFT]  # for each joint, the same joint of the other hand

Array = Floats
Motion = tuple[Array, Array]  # positions (T, 42, 3) in meters, 0 = not tracked; confidence (T, 42)


def interpolate(positions: Array, confidence: Array, times: AnyFloats) -> Motion:
    """Sample a clip at fractional frames; next to an untracked joint, use the nearer frame."""
    before = times.astype(np.intp)
    after = np.minimum(before + 1, len(positions) - 1)
    weight = (times - before).astype(np.float32)[:, None]
    places = planes(positions)
    first, trust = np.take(places, before, axis=1), np.take(confidence, before, axis=0)
    second, later = np.take(places, after, axis=1), np.take(confidence, after, axis=0)
    read = second - first
    read *= weight
    read += first
    sure = np.minimum(trust, later)
    edge = (trust > 0) != (later > 0)
    if edge.any():
        for which, nearest, certain in (
            (edge & (weight < 0.5), first, trust),
            (edge & (weight >= 0.5), second, later),
        ):
            np.copyto(read, nearest, where=which)
            np.copyto(sure, certain, where=which)
    return frames_of(read), sure


def swapped_hands(positions: Array, confidence: Array, frames: slice) -> Motion:
    """Exchange the hands in some frames: they change slots but keep their positions."""
    places, confidence = planes(positions).copy(), confidence.copy()
    places[:, frames] = places[:, frames][..., EXCHANGED]
    confidence[frames] = confidence[frames][:, EXCHANGED]
    return frames_of(places), confidence


def mirrored(positions: Array, confidence: Array, plane: float = 0.0) -> Motion:
    """Mirror a clip: hands change slots, and x is reflected at ``plane`` (meters)."""
    positions, confidence = swapped_hands(positions, confidence, slice(None))
    flipped = planes(positions)
    flipped[0] *= -1
    if plane:
        flipped[0] += np.float32(2 * plane) * (confidence > 0)
    return frames_of(flipped), confidence


def hand_length(positions: Array, confidence: Array) -> float:
    """Return the mean wrist-to-middle-MCP distance of tracked hands, in meters."""
    wrists, knuckles = (slice(joint, None, JOINTS_PER_HAND) for joint in (WRIST, MIDDLE_MCP))
    tracked = (confidence[:, wrists] > 0) & (confidence[:, knuckles] > 0)
    count = np.count_nonzero(tracked)
    places = planes(positions)
    lengths = np.sqrt(np.square(places[..., knuckles] - places[..., wrists]).sum(axis=0))
    return float(lengths[tracked].sum()) / count if count else 0.0


def palm_axes(places: Array) -> Array:
    """Return the unit axes of each palm in each frame: along, out of, and across the palm.

    Args:
        places: ``(3, T, 42)`` positions in meters.

    Returns:
        axes ``(3 axes, 3, T, 2)``; 0 where the MCP joints define no axis.
    """
    knuckles = (FINGERS["index"][0], MIDDLE_MCP, FINGERS["pinky"][0])
    wrist, index, middle, pinky = (
        places[..., joint::JOINTS_PER_HAND] for joint in (WRIST, *knuckles)
    )
    along = middle - wrist
    out = np.cross(along, pinky - index, axis=0)
    axes = np.stack([along, out, np.cross(out, along, axis=0)])
    lengths = np.sqrt(np.square(axes).sum(axis=1, keepdims=True))
    return np.divide(axes, lengths, out=np.zeros_like(axes), where=lengths > 0)


def scale_motion(places: Array, confidence: Array, factors: Array) -> Array:
    """Scale the movement of the hands and the changes of their poses.

    Args:
        places: ``(3, T, 42)`` positions in meters.
        confidence: ``(T, 42)``; a joint stays in place if it or its wrist is not tracked.
        factors: ``(hands, 2)`` factors on the distance of the wrist from the middle of its
            trajectory, and on the distance of each joint from its mean position relative to the
            wrist.

    Returns:
        positions ``(3, T, 42)``.
    """
    hands = places.reshape(*places.shape[:2], len(factors), JOINTS_PER_HAND)
    seen = (confidence > 0).reshape(hands.shape[1:])
    seen &= seen[..., WRIST, None]
    wrists = hands[..., WRIST, None]
    shapes = hands - wrists
    ways, bends = factors.T[..., None] - 1
    farther = _from_mean(wrists, seen[..., WRIST, None]) * ways
    farther = (farther + _from_mean(shapes, seen) * bends) * seen
    return (hands + farther).reshape(places.shape)


def _from_mean(values: Array, seen: Bools) -> Array:
    """Subtract from values ``(3, T, ...)`` their mean over the frames in which they are seen."""
    count = np.maximum(seen.sum(axis=0), 1)
    return values - (values * seen).sum(axis=1, keepdims=True) / count.astype(np.float32)


def linear_map(angles: AnyFloats, shear: AnyFloats, sizes: AnyFloats) -> Array:
    """Return a ``(3, 3)`` matrix that scales, then shears, then rotates.

    Args:
        angles: ``(3,)`` angles in radians about the fixed axes x, y and z, in this order.
        shear: ``(3, 3)`` shift along one axis (row) per unit along another (column); the diagonal
            is ignored.
        sizes: ``(3,)`` scale factors.
    """
    rotation = Rotation.from_euler("xyz", angles).as_matrix()
    slant = np.where(np.eye(3) > 0, 1.0, shear)
    mapped: Array = (rotation @ slant * sizes).astype(np.float32)
    return mapped


def simulate_frame_rate(
    positions: Array, confidence: Array, rate: float, camera_rate: float, generator: Generator
) -> Motion:
    """Return the clip as if a slower camera had recorded it, resampled to ``rate``.

    The intervals between camera frames vary by up to a tenth of a period. The frames pass through
    the same resampler as all recordings, with its cubic spline and its rules for gaps. The camera
    sees the first and the last frame, so the clip keeps its length.

    Args:
        positions: ``(T, 42, 3)``.
        confidence: ``(T, 42)``.
        rate: frames per second of the clip.
        camera_rate: frames per second of the camera, below ``rate``.
        generator: random source of the uneven intervals.
    """
    step = rate / camera_rate
    last = len(positions) - 1
    if last < 2 * step:
        return positions, confidence
    times = np.arange(0, last - step / 2, step)
    times[1:] += generator.uniform(-0.1, 0.1, len(times) - 1) * step
    times = np.append(times, last)
    seen, trust = interpolate(positions, confidence, times)
    resampler = Resampler(SensorRecipe(rate=rate))
    stamps = np.round(times * (NANOSECONDS / rate)).astype(np.int64)
    parts = (resampler.push(stamps, seen, trust), resampler.flush())
    return np.concatenate([part[1] for part in parts]), np.concatenate([p[2] for p in parts])
