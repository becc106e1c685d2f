import numpy as np
import pytest

from whispersign_model.synthesis.rotations import (
    about,
    angle_between,
    continuous,
    from_matrix,
    multiply,
    normalise,
    slerp,
    to_matrices,
)


@pytest.mark.parametrize("seed", range(12))
def test_a_matrix_survives_the_way_to_a_quaternion_and_back(seed: int) -> None:
    quaternion = normalise(np.random.default_rng(seed).normal(size=4))
    matrix = to_matrices(quaternion)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(to_matrices(from_matrix(matrix)), matrix, atol=1e-12)


def test_multiply_applies_the_second_rotation_first() -> None:
    first, second = normalise(np.random.default_rng(0).normal(size=(2, 4)))
    np.testing.assert_allclose(
        to_matrices(multiply(first, second)), to_matrices(first) @ to_matrices(second), atol=1e-12
    )


def test_about_turns_by_the_right_hand_rule() -> None:
    turned = to_matrices(about((0, 0, 2), np.pi / 2)) @ [1, 0, 0]
    np.testing.assert_allclose(turned, [0, 1, 0], atol=1e-12)


def test_slerp_turns_evenly_and_the_short_way() -> None:
    first = about((0, 1, 0), 0.2)
    second = -about((0, 1, 0), 1.4)  # the same rotation with the other sign
    between = slerp(first, second, np.array([0.0, 0.25, 1.0]))
    angles = [angle_between(first, quaternion) for quaternion in between]
    np.testing.assert_allclose(angles, [0.0, 0.3, 1.2], atol=1e-6)


def test_continuous_undoes_changes_of_sign() -> None:
    smooth = about((1, 2, 3), np.linspace(0, 6, 50))
    flipped = smooth * np.where(np.arange(50) % 3 == 1, -1.0, 1.0)[:, None]
    np.testing.assert_allclose(continuous(flipped), smooth, atol=1e-12)
