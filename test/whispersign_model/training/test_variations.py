"""Reading at other times, mirroring, and seeing as a slower camera does."""

import numpy as np

from whispersign_model.training.variations import (
    mirrored,
    read_at,
)


def test_mirroring_twice_is_the_same(movement):
    clip = movement(3, 2)
    once = mirrored(clip[..., :3], clip[..., 6])
    assert once[1][:, :21].all()
    np.testing.assert_array_equal(once[0][:, :21, 0], -clip[:, 21:, 0])
    np.testing.assert_array_equal(mirrored(*once)[0], clip[..., :3])


def test_reading_between_frames_never_mixes_in_an_untracked_joint():
    positions = np.zeros((3, 42, 3), np.float32)
    confidence = np.zeros((3, 42), np.float32)
    positions[0], confidence[0] = 1, 1
    positions[2], confidence[2] = 3, 1
    read, sure = read_at(positions, confidence, np.array([0.0, 0.4, 0.6, 1.6, 2.0]))
    assert read[:, 0, 0].tolist() == [1, 1, 0, 3, 3]
    assert sure[:, 0].tolist() == [1, 1, 0, 1, 1]


def test_mirroring_at_a_plane_keeps_what_lies_in_it(movement):
    clip = movement(3, 2)
    clip[:, 21, 0] = 0.4
    positions, _ = mirrored(clip[..., :3], clip[..., 6], plane=0.4)
    np.testing.assert_allclose(positions[:, 0, 0], 0.4, atol=1e-6)
    assert not positions[:, 21:].any()
