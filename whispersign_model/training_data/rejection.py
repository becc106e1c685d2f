# SPDX-License-Identifier: MIT
"""Disguised signs: movement that is not a sign, made from takes of signs to train the rejection."""

import numpy as np
from numpy.random import Generator
from scipy.spatial.transform import Rotation

from whispersign_model.arrays import Bools
from whispersign_model.skeleton import LEFT, RIGHT, WRIST
from whispersign_model.training_data.variations import Array, Motion, hand_length

TURN = (60.0, 180.0)  # range of the angle by which a disguised hand is turned, in degrees
PLACE = 1.5  # standard deviation of the place of a disguised hand, in hand lengths


def disguised(shape: Motion, path: Motion, generator: Generator) -> Motion:
    """Return hands with the shapes of one take, turned, on the trajectories of another.

    Args:
        shape: the take that gives the shapes; it determines the number of frames.
        path: the take that gives the trajectories of the wrists, in time or backward.
        generator: random source of the turn, the place and the direction.
    """
    positions, confidence = shape
    moved = np.zeros_like(positions)
    size = hand_length(*shape) or 1.0
    turn = _turn(generator)
    backward = generator.random() < 0.5
    for hand in (LEFT, RIGHT):
        seen = confidence[:, hand.start + WRIST] > 0
        if not seen.any():
            continue
        wrist = positions[:, hand.start + WRIST]
        middle = wrist[seen].mean(axis=0)
        trajectory = _trajectory(path, hand, len(positions), backward)
        place = middle + generator.normal(0, PLACE * size, 3)
        trajectory = wrist - middle if trajectory is None else trajectory
        matrix = turn if generator.random() < 0.5 else _turn(generator)
        turned = (positions[:, hand] - wrist[:, None]) @ matrix.T
        moved[:, hand] = turned + (trajectory + place)[:, None]
    return (moved * (confidence > 0)[..., None]).astype(np.float32), confidence


def _turn(generator: Generator) -> Array:
    """Return a rotation matrix about a random axis."""
    axis = generator.normal(size=3)
    angle = np.deg2rad(generator.uniform(*TURN))
    vector = angle * axis / np.linalg.norm(axis)
    matrix: Array = Rotation.from_rotvec(vector).as_matrix().astype(np.float32)
    return matrix


def _trajectory(path: Motion, hand: slice, frames: int, backward: bool) -> Array | None:
    """Return a wrist's way ``(frames, 3)`` about its middle; None if the hand is not tracked."""
    positions, confidence = path
    seen: Bools = confidence[:, hand.start + WRIST] > 0
    if np.count_nonzero(seen) < 2:
        return None
    way = positions[seen, hand.start + WRIST]
    way = way - way.mean(axis=0)
    places = np.linspace(0, len(way) - 1, frames)
    sampled = np.stack([np.interp(places, np.arange(len(way)), axis) for axis in way.T], axis=1)
    return (sampled[::-1] if backward else sampled).astype(np.float32)
