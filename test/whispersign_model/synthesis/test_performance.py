# SPDX-License-Identifier: MIT
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from whispersign_model.synthesis.hand import HandGeometry, clamp
from whispersign_model.synthesis.hand_trajectory import GRID, HandTrajectory
from whispersign_model.synthesis.performance import (
    PEAK_ACCELERATION,
    PEAK_BEND,
    PEAK_SPEED,
    PEAK_TURN,
    Performance,
    blended,
    drifting,
    transition,
    transition_samples,
)


def still(wrist=(0.0, 0.0, 0.0), turn=0.0, bend=0.0, count=1) -> HandTrajectory:
    angles = np.zeros((1, 5, 4))
    angles[0, 1, 2] = bend
    return HandTrajectory(
        np.array([wrist], dtype=float), Rotation.from_rotvec([[0, turn, 0]]), angles
    ).held(0, count)


def moved(first: HandTrajectory, second: HandTrajectory) -> HandTrajectory:
    samples = transition_samples(first, second, 1.0)
    return HandTrajectory.joined([first, transition(first, second, samples), second])


@pytest.mark.parametrize(
    "target", [still((0.3, 0.1, 0.0)), still((0.0, 0.02, 0.0)), still(turn=2.5), still(bend=1.7)]
)
def test_transitions_keep_to_the_limits_of_speed_and_acceleration(target: HandTrajectory) -> None:
    trajectory = moved(still(count=3), HandTrajectory.joined([target] * 3))
    velocity = np.diff(trajectory.wrist, axis=0) * GRID
    assert np.linalg.norm(velocity, axis=1).max() <= PEAK_SPEED * 1.01
    acceleration = np.diff(velocity, axis=0) * GRID
    assert np.linalg.norm(acceleration, axis=1).max() <= PEAK_ACCELERATION * 1.05
    turns = (trajectory.rotation[:-1].inv() * trajectory.rotation[1:]).magnitude() * GRID
    assert turns.max() <= PEAK_TURN * 1.01
    assert np.abs(np.diff(trajectory.angles, axis=0)).max() * GRID <= PEAK_BEND * 1.01


def test_a_faster_signer_needs_less_time() -> None:
    way = still(), still((0.3, 0.0, 0.0))
    assert transition_samples(*way, 1.4) < transition_samples(*way, 1.0)


def test_a_swing_bends_the_way_and_leaves_its_ends() -> None:
    first, second = still(), still((0.2, 0.0, 0.0))
    trajectory = transition(first, second, 99, np.array([0.0, 0.03, 0.0]))
    assert trajectory.wrist[49, 1] == pytest.approx(0.03)
    assert np.abs(trajectory.wrist[[0, -1], 1]).max() < 1e-3


def test_blending_rounds_a_corner_and_keeps_what_is_steady() -> None:
    trajectory = HandTrajectory.joined(
        [still(count=60), still((0.1, 0, 0), turn=1.0, bend=1.0, count=60)]
    )
    smooth = blended(trajectory, 0.02)
    assert len(smooth) == len(trajectory)
    for before, after in ((trajectory.wrist, smooth.wrist), (trajectory.angles, smooth.angles)):
        np.testing.assert_allclose(after[[0, 30, 89, 119]], before[[0, 30, 89, 119]], atol=1e-4)
    assert np.abs(np.diff(smooth.wrist[:, 0])).max() < 0.02
    assert smooth.wrist[59:61, 0].mean() == pytest.approx(0.05, abs=1e-6)
    turned = smooth.rotation.magnitude()
    np.testing.assert_allclose(turned[[0, 119]], [0.0, 1.0], atol=1e-4)
    assert np.diff(turned).max() < 0.2


def test_blending_does_not_stumble_over_the_sign_of_quaternions() -> None:
    turning = still(count=80)
    rotation = Rotation.from_rotvec(np.linspace(0.0, 0.8, 80)[:, None] * (0, 1, 0))
    flipped = Rotation.from_quat(rotation.as_quat() * np.repeat([1.0, -1.0], 40)[:, None])
    assert flipped.as_quat()[-1, 3] < 0
    smooth = blended(HandTrajectory(turning.wrist, flipped, turning.angles), 0.02)
    errors = (smooth.rotation.inv() * rotation).magnitude()
    assert errors[12:-12].max() < 0.01


def test_drift_is_small_slow_and_within_the_joint_limits() -> None:
    trajectory = still(count=800)
    drifted = drifting(trajectory, np.random.default_rng(0), 1.0)
    wandered = drifted.wrist - trajectory.wrist
    assert 1e-4 < wandered.std() < 0.01
    assert np.abs(np.diff(wandered, axis=0)).max() * GRID < 0.1
    np.testing.assert_array_equal(drifted.angles, clamp(drifted.angles))
    assert drifting(trajectory, np.random.default_rng(0), 0.0) is trajectory


def test_joints_are_sampled_between_the_grid_and_the_left_hand_is_mirrored() -> None:
    trajectory = moved(still(count=2), still((0.2, 0.1, 0.0), turn=1.0, bend=1.0, count=2))
    performance = Performance((trajectory, trajectory), HandGeometry.adult(), ())
    joints = performance.joints(np.linspace(-0.1, performance.duration + 0.1, 333))
    np.testing.assert_allclose(joints[:, 0], joints[:, 1] * [-1, 1, 1], atol=1e-12)
    bone = np.linalg.norm(joints[:, 1, 6] - joints[:, 1, 5], axis=-1)
    assert np.ptp(bone) < 1e-9
    np.testing.assert_allclose(joints[0, 1, 0], [0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(joints[-1, 1, 0], [0.2, 0.1, 0], atol=1e-12)
