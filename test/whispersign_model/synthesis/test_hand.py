# SPDX-License-Identifier: MIT
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from whispersign_model.errors import ConfigError
from whispersign_model.skeleton import BONES, FINGERS, HAND_JOINTS, MIDDLE_MCP, WRIST
from whispersign_model.synthesis.hand import (
    LIMITS,
    HandGeometry,
    check_limits,
    clamp,
    joint_positions,
    joints_in_hand_frame,
    mirrored,
)

STRAIGHT = np.zeros((1, 5, 4))


def random_angles(count: int, seed: int = 0) -> np.ndarray:
    draws = np.random.default_rng(seed).uniform(-2.5, 2.5, size=(count, 5, 4))
    return clamp(draws)


def bent(finger: int, angle: int, degrees: float) -> np.ndarray:
    angles = STRAIGHT.copy()
    angles[0, finger, angle] = np.deg2rad(degrees)
    return angles


def test_bones_keep_their_length_in_every_posture() -> None:
    geometry = HandGeometry.varied(np.random.default_rng(1))
    rng = np.random.default_rng(2)
    joints = joint_positions(
        geometry,
        random_angles(200),
        Rotation.from_quat(rng.normal(size=(200, 4))),
        rng.normal(size=(200, 3)),
    )
    lengths = np.stack([np.linalg.norm(joints[:, a] - joints[:, b], axis=1) for a, b in BONES])
    assert np.ptp(lengths, axis=1).max() < 1e-12
    for finger, chain in enumerate(FINGERS.values()):
        made = np.linalg.norm(np.diff(joints[0, list(chain)], axis=0), axis=1)
        np.testing.assert_allclose(made, geometry.bones[finger], atol=1e-12)


def test_an_adult_palm_is_nine_centimetres_long() -> None:
    joints = joints_in_hand_frame(HandGeometry.adult(), STRAIGHT)[0]
    assert np.linalg.norm(joints[MIDDLE_MCP] - joints[WRIST]) == pytest.approx(0.091, abs=1e-3)


def test_a_right_hand_palm_down_has_its_thumb_on_the_left() -> None:
    joints = joints_in_hand_frame(HandGeometry.adult(), STRAIGHT)[0]
    across = [joints[HAND_JOINTS.index(f"{name}_mcp"), 0] for name in FINGERS]
    assert across == sorted(across)
    assert (joints[1:, 2] < 0).all()  # all ahead of the wrist
    tips = [chain[-1] for chain in FINGERS.values()]
    for chain, tip in zip(FINGERS.values(), tips):
        assert joints[tip, 2] == joints[list(chain), 2].min()


@pytest.mark.parametrize("finger", [1, 2, 3, 4])
@pytest.mark.parametrize("angle", [0, 2, 3])
def test_fingers_flex_towards_the_palm(finger: int, angle: int) -> None:
    geometry = HandGeometry.adult()
    tip = list(FINGERS.values())[finger][-1]
    straight = joints_in_hand_frame(geometry, STRAIGHT)[0, tip]
    flexed = joints_in_hand_frame(geometry, bent(finger, angle, 60))[0, tip]
    assert flexed[1] < straight[1] - 0.01


def test_abduction_spreads_index_and_little_finger_apart() -> None:
    geometry = HandGeometry.adult()
    straight = joints_in_hand_frame(geometry, STRAIGHT)[0]
    assert joints_in_hand_frame(geometry, bent(1, 1, 15))[0, 8, 0] < straight[8, 0] - 0.01
    assert joints_in_hand_frame(geometry, bent(4, 1, 15))[0, 20, 0] > straight[20, 0] + 0.01
    assert joints_in_hand_frame(geometry, bent(0, 1, 40))[0, 4, 0] < straight[4, 0] - 0.03


def test_the_thumb_opposes_and_bends_inwards() -> None:
    geometry = HandGeometry.adult()
    straight = joints_in_hand_frame(geometry, STRAIGHT)[0, 4]
    assert joints_in_hand_frame(geometry, bent(0, 0, 50))[0, 4, 1] < straight[1] - 0.03
    assert joints_in_hand_frame(geometry, bent(0, 3, 60))[0, 4, 0] > straight[0] + 0.01


def test_clamp_brings_every_angle_within_its_limits() -> None:
    angles = random_angles(300)
    assert (angles >= LIMITS[..., 0] - 1e-12).all()
    assert (angles <= LIMITS[..., 1] + 1e-12).all()
    np.testing.assert_array_equal(clamp(angles), angles)


def test_a_finger_bent_at_the_knuckle_cannot_spread() -> None:
    angles = STRAIGHT[0].copy()
    angles[1, :2] = np.deg2rad([90, 25])
    assert np.rad2deg(clamp(angles)[1, 1]) == pytest.approx(5)
    angles[1, 0] = 0
    assert np.rad2deg(clamp(angles)[1, 1]) == pytest.approx(25)


def test_a_posture_beyond_the_limits_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"handshape broken.*ring.*130 degrees"):
        check_limits(bent(3, 2, 130)[0], "handshape broken")
    check_limits(bent(3, 2, 100)[0], "handshape sound")


def test_rotation_and_wrist_place_the_hand() -> None:
    geometry = HandGeometry.adult()
    wrist = np.array([[0.1, 0.2, 0.3]])
    joints = joint_positions(geometry, STRAIGHT, Rotation.from_rotvec([[0, np.pi / 2, 0]]), wrist)[
        0
    ]
    local = joints_in_hand_frame(geometry, STRAIGHT)[0]
    turned = np.stack([local[:, 2], local[:, 1], -local[:, 0]], axis=1)
    np.testing.assert_allclose(joints - wrist, turned, atol=1e-12)


def test_mirrored_turns_a_right_hand_into_a_left_one_and_back() -> None:
    joints = joints_in_hand_frame(HandGeometry.adult(), random_angles(3))
    left = mirrored(joints)
    np.testing.assert_array_equal(left[..., 0], -joints[..., 0])
    np.testing.assert_array_equal(left[..., 1:], joints[..., 1:])
    np.testing.assert_array_equal(mirrored(left), joints)


def test_people_have_different_hands() -> None:
    hands = [HandGeometry.varied(np.random.default_rng(seed)) for seed in range(40)]
    sizes = [hand.size for hand in hands]
    assert 0.82 <= min(sizes) < 0.95
    assert 1.05 < max(sizes) <= 1.2
    ratios = [hand.bones[1, 0] / hand.bones[2, 0] for hand in hands]
    assert np.std(ratios) > 0.02  # proportions differ too, not only size
