# SPDX-License-Identifier: MIT
"""Recordings of smoothly moving hands, with and without the faults of sensors."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from whispersign_model.recordings.recording import Recording
from whispersign_model.skeleton import JOINTS, JOINTS_PER_HAND

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND  # a typical capture time, which float64 seconds cannot represent


def hand_paths(seconds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return ``(T, 42, 3)``: two different hands of 9 and 8 cm on different smooth paths."""
    joints = np.arange(JOINTS)
    hand = joints // JOINTS_PER_HAND
    finger = joints % JOINTS_PER_HAND
    length = np.where(hand == 0, 0.09, 0.08) / 9
    shape = np.stack([np.cos(finger) * finger, finger, np.sin(2 * finger)], axis=1)
    shape *= length[:, None]
    place = np.stack([0.3 * hand - 0.15, 0.2 + 0.1 * hand, 0.1 - 0.2 * hand], axis=1)
    phase = 2 * np.pi * seconds[:, None] * (0.7 + 0.3 * hand) + finger / 20
    sway = np.stack([np.sin(phase), np.cos(phase), np.sin(phase / 2)], axis=-1) * 0.1
    return (place + shape + sway).astype(np.float32)


def make_recording(
    stamps: NDArray[np.int64], tracked: NDArray[np.bool_] | None = None, **fields: object
) -> Recording:
    """Return the smooth hands at some stamps; ``tracked (T, 2)`` selects the visible hands."""
    positions = hand_paths((stamps - START) / SECOND)
    confidence = np.full((len(stamps), JOINTS), 0.75, dtype=np.float32)
    if tracked is not None:
        joints = np.repeat(tracked, JOINTS_PER_HAND, axis=1)
        positions, confidence = positions * joints[..., None], confidence * joints
    return Recording(stamps, positions, confidence, **fields)  # type: ignore[arg-type]


def steady_stamps(frames: int, rate: float) -> NDArray[np.int64]:
    """Return ``frames`` stamps at a steady rate."""
    return START + np.round(np.arange(frames) * SECOND / rate).astype(np.int64)


def messy_recording(seed: int) -> Recording:
    """Return a random recording with the faults of bad sensors.

    Stamps jitter, repeat, arrive late, jump and have gaps. Hands enter, leave and drop out. Joints
    are lost, noisy or far off.
    """
    rng = np.random.default_rng(seed)
    frames = int(rng.integers(0, 90))
    steps = SECOND / rng.choice([20, 30, 60, 115]) * rng.uniform(0.3, 1.7, frames)
    odd = rng.random(frames)
    steps = np.select(
        [odd < 0.02, odd < 0.04, odd < 0.06, odd < 0.1, odd < 0.14, odd < 0.16, odd < 0.17],
        [0, 3e5, -2e7, 7e7, 2e8, 9e8, rng.choice([6e9, -3e9])],
        steps,
    )
    stamps = START + np.cumsum(steps).astype(np.int64)
    share = rng.choice([0.02, 0.1, 0.5])
    switches = rng.random((frames, 2)) < share
    tracked = (np.cumsum(switches, axis=0) + rng.integers(0, 2, 2)) % 2 == 0
    tracked &= rng.random((frames, 2)) > rng.choice([0.0, 0.1])
    recording = make_recording(stamps, tracked)
    noise = rng.normal(0, rng.choice([0.001, 0.01]), recording.positions.shape)
    noise[rng.random(frames) < 0.03] += rng.normal(0, 1)
    confidence = recording.confidence * (rng.random((frames, JOINTS)) > 0.01)
    positions = (recording.positions + noise) * (confidence > 0)[..., None]
    return Recording(stamps, positions.astype(np.float32), confidence.astype(np.float32))


def random_cuts(frames: int, seed: int) -> list[slice]:
    """Cut ``frames`` rows into consecutive pieces of random length, some of them empty."""
    rng = np.random.default_rng(seed)
    pieces = int(rng.integers(1, frames + 2))
    edges = np.sort(rng.integers(0, frames + 1, pieces - 1))
    edges = np.concatenate([[0], edges, [frames]])
    return [slice(first, last) for first, last in pairwise(edges)]


@pytest.fixture(scope="session")
def make() -> Callable[..., Recording]:
    return make_recording


@pytest.fixture(scope="session")
def steady() -> Callable[[int, float], NDArray[np.int64]]:
    return steady_stamps


@pytest.fixture(scope="session")
def messy() -> Callable[[int], Recording]:
    return messy_recording


@pytest.fixture(scope="session")
def cuts() -> Callable[[int, int], list[slice]]:
    return random_cuts
