# SPDX-License-Identifier: MIT
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from whispersign_model.skeleton import FINGERS
from whispersign_model.synthesis.hand import HandGeometry, joint_positions, mirrored
from whispersign_model.synthesis.hand_shapes import LINE, NAIL, SLEEVE, hand_shapes_of
from whispersign_model.synthesis.lexicon import default_lexicon


def joints(handshape: str = "flat") -> np.ndarray:
    angles = default_lexicon().handshapes[handshape].radians()[None]
    return joint_positions(
        HandGeometry.adult(), angles, Rotation.identity(1), np.array([[0.1, 0.3, 0.0]])
    )[0]


@pytest.mark.parametrize("hand", ["left", "right"])
def test_the_back_of_a_hand_lying_palm_down_looks_up(hand: str) -> None:
    shown = joints() if hand == "right" else mirrored(joints())
    shapes = hand_shapes_of(shown, hand)
    assert shapes.back[1] > 0.98
    for bone in shapes.bones:
        if bone.nail and bone.first != 3:
            assert bone.back[1] > 0.95


def test_the_back_is_carried_along_a_bent_finger() -> None:
    fist = joints("fist")
    distal = next(
        bone for bone in hand_shapes_of(fist, "right").bones if bone.second == 8 and bone.nail
    )
    direction = fist[8] - fist[7]
    back = np.array(distal.back)
    assert abs(back @ direction) < 1e-9
    # Curled through 250 degrees, the tip's back looks down and ahead: away from the palm.
    assert back[1] < -0.2
    assert np.linalg.norm(back) == pytest.approx(1)


def test_five_nails_three_palm_lines_and_a_sleeve() -> None:
    shapes = hand_shapes_of(joints(), "right")
    assert {bone.second for bone in shapes.bones if bone.nail} == {c[-1] for c in FINGERS.values()}
    lines = [bone for bone in shapes.bones if bone.material == LINE]
    assert len(lines) == 3 + 2 + 3
    points = np.array(shapes.points)
    palm = points[[0, 5, 17]].mean(axis=0)[1]
    assert all(points[bone.first, 1] < palm - 0.008 for bone in lines)  # on the palm's side
    assert sum(bone.material == SLEEVE for bone in shapes.bones) == 1
    assert NAIL not in {bone.material for bone in shapes.bones}


def test_a_larger_hand_has_thicker_fingers() -> None:
    once, twice = hand_shapes_of(joints(), "right"), hand_shapes_of(2 * joints(), "right")
    np.testing.assert_allclose(twice.radii[:21], 2 * np.array(once.radii[:21]))
