# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from whispersign_model.synthesis.hand_trajectory import (
    GRID,
    HandTrajectory,
    SignAnimator,
    even_pace,
    minimum_jerk,
)
from whispersign_model.synthesis.lexicon import default_lexicon
from whispersign_model.synthesis.style import SignerStyle, Variation

from .minimal_pairs import minimal_pairs

LEXICON = default_lexicon()
ANIMATOR = SignAnimator(LEXICON, SignerStyle())


def stroke(gloss: str) -> HandTrajectory:
    return ANIMATOR.animate(LEXICON.sign(gloss), Variation.none())[0]


def palm_centres(trajectory: HandTrajectory) -> np.ndarray:
    centre = SignerStyle().geometry.palm_centre
    return trajectory.wrist + trajectory.rotation.as_matrix() @ centre


def turning(trajectory: HandTrajectory) -> np.ndarray:
    """The rotation since the first sample."""
    matrices = trajectory.rotation.as_matrix()
    return np.swapaxes(matrices[:1], 1, 2) @ matrices


def path(trajectory: HandTrajectory) -> np.ndarray:
    return trajectory.wrist - trajectory.wrist[0]


@pytest.mark.parametrize("pace", [minimum_jerk, even_pace])
def test_paces_go_from_rest_to_rest(pace) -> None:
    phase = np.linspace(0, 1, 2001)
    progress = pace(phase)
    speed = np.diff(progress) * 2000
    assert progress[0] == 0
    assert progress[-1] == pytest.approx(1)
    assert (speed > -1e-9).all()
    assert max(speed[0], speed[-1]) < 0.01 < 1.2 < speed.max()


@pytest.mark.parametrize(("first", "second", "parameter"), minimal_pairs(LEXICON))
def test_minimal_pairs_differ_in_exactly_their_parameter(
    first: str, second: str, parameter: str
) -> None:
    one, other = stroke(first), stroke(second)
    differ = {
        "handshape": not np.allclose(one.angles[[0, -1]], other.angles[[0, -1]], atol=1e-9),
        "orientation": not one.rotation[0].approx_equal(other.rotation[0], atol=1e-9),
    }
    if len(one) == len(other):
        moves = [(path(c), turning(c)) for c in (one, other)]
        offset = palm_centres(one) - palm_centres(other)
        differ["movement"] = not all(np.allclose(a, b, atol=1e-9) for a, b in zip(*moves))
        differ["location"] = bool(np.abs(offset.mean(axis=0)).max() > 0.02)
    else:
        differ["movement"] = True
        differ["location"] = False
    assert {name for name, value in differ.items() if value} == {parameter}


@pytest.mark.parametrize("gloss", LEXICON.glosses)
def test_strokes_begin_and_end_at_rest(gloss: str) -> None:
    trajectory = stroke(gloss)
    speeds = np.linalg.norm(np.diff(trajectory.wrist, axis=0), axis=1) * GRID
    assert max(speeds[0], speeds[-1]) < 0.06
    bends = np.abs(np.diff(trajectory.angles, axis=0)).max(axis=(1, 2)) * GRID
    assert max(bends[0], bends[-1]) < 0.6


def way(gloss: str) -> np.ndarray:
    wrist = stroke(gloss).wrist
    return wrist[-1] - wrist[0]


def test_straight_movements_go_where_they_say() -> None:
    np.testing.assert_allclose(way("GO"), [0, 0, -0.18], atol=1e-9)
    np.testing.assert_allclose(way("UP"), [0, 0.16, 0], atol=1e-9)
    np.testing.assert_allclose(way("LEFT"), [-0.16, 0, 0], atol=1e-9)
    np.testing.assert_allclose(way("OPEN"), [0.12, 0, 0], atol=1e-9)  # out, for a right hand


def extent(gloss: str) -> np.ndarray:
    return np.ptp(stroke(gloss).wrist, axis=0)


def test_paths_have_their_shapes_and_sizes() -> None:
    np.testing.assert_allclose(extent("PLEASE"), [0.12, 0.12, 0], atol=1e-3)  # circle, seen ahead
    np.testing.assert_allclose(extent("TURN"), [0.10, 0, 0.10], atol=1e-3)  # circle, from above
    np.testing.assert_allclose(extent("THANKS"), [0, 0.09, 0.18], atol=1e-3)  # arc
    np.testing.assert_allclose(extent("ONE"), [0, 0, 0.05], atol=1e-3)  # tap


@pytest.mark.parametrize(
    ("gloss", "axis", "repeats"), [("HURRY", 2, 3), ("EAT", 2, 2), ("MORE", 0, 2)]
)
def test_repeated_movements_are_made_that_often(gloss: str, axis: int, repeats: int) -> None:
    track = stroke(gloss).wrist[:, axis]
    middle = (track.max() + track.min()) / 2
    crossings = np.count_nonzero(np.diff(np.sign(track - middle)))
    assert crossings == 2 * repeats


def test_wrist_movements_turn_about_their_axis() -> None:
    for gloss, axis in (("YES", 0), ("HELLO", 1), ("CALL", 2)):
        turned = turning(stroke(gloss))
        fixed = turned[:, :, axis]
        np.testing.assert_allclose(fixed, np.broadcast_to(np.eye(3)[axis], fixed.shape), atol=1e-9)
        assert np.abs(turned - np.eye(3)).max() > 0.3


def test_handshapes_change_from_the_first_to_the_second() -> None:
    on = stroke("ON").angles
    np.testing.assert_allclose(on[0], LEXICON.handshapes["fist"].radians(), atol=1e-9)
    np.testing.assert_allclose(on[-1], LEXICON.handshapes["spread"].radians(), atol=1e-9)


def test_fingers_wiggle_one_after_the_other() -> None:
    flexion = stroke("WAIT").angles[:, 1:, 0]
    assert (np.ptp(flexion, axis=0) > np.deg2rad(20)).all()
    assert len(set(flexion.argmax(axis=0))) == 4


def test_the_second_hand_mirrors_alternates_or_holds() -> None:
    def both(gloss: str) -> tuple[HandTrajectory, HandTrajectory]:
        main, other = ANIMATOR.animate(LEXICON.sign(gloss), Variation.none())
        assert other is not None
        return main, other

    main, other = both("OPEN")
    np.testing.assert_allclose(other.wrist, main.wrist, atol=1e-12)  # each in its own mirror image
    main, other = both("WALK")
    np.testing.assert_allclose(other.wrist - other.wrist.mean(0), main.wrist.mean(0) - main.wrist,
                               atol=1e-3)  # fmt: skip
    main, other = both("AGAIN")
    assert np.ptp(other.wrist, axis=0).max() == 0
    main, other = both("HELP")
    np.testing.assert_allclose(path(other), path(main), atol=1e-12)
    assert ANIMATOR.animate(LEXICON.sign("GO"), Variation.none())[1] is None
