# SPDX-License-Identifier: MIT
"""Disguised hands: the shapes of one take on the way of another."""

import numpy as np
import pytest

from whispersign_model.skeleton import LEFT, MIDDLE_MCP, RIGHT, WRIST
from whispersign_model.training_data.rejection import disguised

from .hands import HAND, take


@pytest.mark.parametrize("seed", range(8))
def test_disguised_hands_keep_their_shapes_and_take_another_way(seed):
    shape, path = take(0.0, 30), take(4.0, 48)
    positions, confidence = disguised(shape, path, np.random.default_rng(seed))
    assert positions.dtype == confidence.dtype == np.float32
    assert not positions[:, LEFT].any()
    before = shape[0][:, RIGHT] - shape[0][:, RIGHT.start + WRIST, None]
    after = positions[:, RIGHT] - positions[:, RIGHT.start + WRIST, None]
    lengths = np.linalg.norm(before, axis=-1)
    np.testing.assert_allclose(np.linalg.norm(after, axis=-1), lengths, atol=1e-5)
    cosine = (before[0, MIDDLE_MCP] @ after[0, MIDDLE_MCP]) / HAND**2
    assert cosine < 0.999  # turned, unless about the hand's own axis
    way = positions[:, RIGHT.start + WRIST]
    np.testing.assert_allclose(np.abs(way[-1] - way[0]), [4 * HAND, 0, 0], atol=1e-5)


def test_disguised_hands_are_turned_by_a_sixth_of_a_circle_at_least():
    shape = take(0.0, 4)
    for seed in range(50):
        positions, _ = disguised(shape, shape, np.random.default_rng(seed))
        after = positions[0, RIGHT] - positions[0, RIGHT.start + WRIST]
        before = shape[0][0, RIGHT] - shape[0][0, RIGHT.start + WRIST]
        matrix = np.linalg.lstsq(before.astype(float), after.astype(float), rcond=None)[0].T
        angle = np.degrees(np.arccos(np.clip((np.trace(matrix) - 1) / 2, -1, 1)))
        assert 60 - 1e-3 <= angle <= 180


def test_a_hand_that_the_other_take_lacks_keeps_its_own_way():
    positions, _ = disguised(take(2.0), take(4.0, side=LEFT), np.random.default_rng(0))
    way = positions[:, RIGHT.start + WRIST]
    np.testing.assert_allclose(way[-1] - way[0], [2 * HAND, 0, 0], atol=1e-5)
    one = take(2.0, frames=1)
    assert np.isfinite(disguised(one, one, np.random.default_rng(0))[0]).all()
