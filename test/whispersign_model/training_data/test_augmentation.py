# SPDX-License-Identifier: MIT
"""Every variation does what it says, and nothing else."""

import numpy as np
import pytest

from whispersign_model.errors import ConfigError
from whispersign_model.training_data.augmentation import Augmentation, Pace

EXISTING = ("rotation", "scale", "stretch", "shift", "hand_shift", "speed", "warp", "crop", "noise")
STILL = Augmentation(**dict.fromkeys((*EXISTING, "finger_mask", "frame_mask"), 0))


def test_still_augmentation_changes_nothing(movement):
    clip = movement(1, 0)
    positions, confidence = STILL(clip[..., :3], clip[..., 6], 60.0, np.random.default_rng(0))
    np.testing.assert_allclose(positions, clip[..., :3], atol=1e-6)
    assert np.array_equal(confidence, clip[..., 6])


@pytest.mark.parametrize(
    "options",
    [
        {"rotation": 20},
        {"scale": 0.3},
        {"stretch": 0.3},
        {"shift": 0.5},
        {"hand_shift": 0.5},
        {"hand_shape_jitter": 0.2},
        {"trajectory_scale": 0.5},
        {"pose_scale": 0.5},
        {"speed": 0.5},
        {"warp": 0.3},
        {"crop": 0.3},
        {"noise": 0.1},
        {"finger_mask": 1},
        {"frame_mask": 1, "mask_length": 2},
        {"mirror": 1},
        {"hold": 1},
    ],
)
def test_every_augmentation_does_something_and_leaves_the_absent_hand_absent(movement, options):
    clip = movement(1, 0)
    augmentation = STILL.model_copy(update=options)
    positions, confidence = augmentation(
        clip[..., :3], clip[..., 6], 60.0, np.random.default_rng(4)
    )
    same = positions.shape == clip[..., :3].shape and np.allclose(
        positions, clip[..., :3], atol=1e-4
    )
    assert not same
    absent = slice(21, 42) if "mirror" in options else slice(0, 21)
    assert not positions[:, absent].any()
    assert not confidence[:, absent].any()
    assert np.isfinite(positions).all()


def test_a_stretch_of_up_to_so_many_seconds_is_hidden(movement):
    clip = movement(1, 0)
    hiding = STILL.model_copy(update={"frame_mask": 1.0, "mask_length": 0.25})
    hidden = []
    for seed in range(40):
        _, confidence = hiding(clip[..., :3], clip[..., 6], 60.0, np.random.default_rng(seed))
        frames = np.flatnonzero(~confidence[:, 21:].any(axis=1))
        assert (np.diff(frames) == 1).all()
        hidden.append(len(frames))
    assert 12 <= max(hidden) <= 15


def test_the_rarer_hand_is_dropped(movement):
    clip = movement(1, 0)
    clip[:10, :21] = clip[:10, 21:]
    dropping = STILL.model_copy(update={"hand_drop": 1.0})
    _, confidence = dropping(clip[..., :3], clip[..., 6], 60.0, np.random.default_rng(0))
    assert not confidence[:, :21].any()
    assert confidence[:, 21:].all()


def test_one_hand_is_taken_for_the_other_throughout_or_for_one_stretch(movement):
    clip = movement(1, 0)
    mistaken = STILL.changed(swap_hands=1.0)
    whole = 0
    for seed in range(60):
        _, confidence = mistaken(clip[..., :3], clip[..., 6], 60.0, np.random.default_rng(seed))
        wrong = np.flatnonzero(confidence[:, 0])
        assert (np.diff(wrong) == 1).all()
        assert np.array_equal(confidence[:, 0] > 0, confidence[:, 21] == 0)
        whole += len(wrong) == len(clip)
    assert 20 <= whole <= 40
    seldom = STILL.changed(swap_hands=0.2)
    moved = [
        seldom(clip[..., :3], clip[..., 6], 60.0, np.random.default_rng(seed))[1][:, 0].any()
        for seed in range(100)
    ]
    assert 10 <= sum(moved) <= 30


def test_rotation_keeps_bones(movement):
    clip = movement(2, 1)
    turning = STILL.model_copy(update={"rotation": 30})
    positions, _ = turning(clip[..., :3], clip[..., 6], 60.0, np.random.default_rng(0))

    def bones(p):
        return np.linalg.norm(p[:, 30] - p[:, 21], axis=-1)

    np.testing.assert_allclose(bones(positions), bones(clip[..., :3]), rtol=1e-4)


def test_other_hands_are_built_otherwise_and_turn_with_the_palm(movement):
    clip = movement(1, 0)
    positions, confidence = clip[..., :3], clip[..., 6]
    building = STILL.changed(hand_shape_jitter=0.2)
    built, _ = building(positions, confidence, 60.0, np.random.default_rng(0))
    offsets = (built - positions)[:, 21:]
    np.testing.assert_allclose(offsets[:, 0], 0, atol=1e-6)
    lengths = np.linalg.norm(offsets, axis=-1)
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], lengths.shape), atol=1e-5)
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    turned, _ = building(positions @ turn.T, confidence, 60.0, np.random.default_rng(0))
    np.testing.assert_allclose((turned - positions @ turn.T)[:, 21:], offsets @ turn.T, atol=1e-5)


def test_a_fingertip_lies_off_by_the_build_and_a_knuckle_by_half_of_it(movement):
    clip = movement(1, 0)
    positions, confidence = clip[:1, :, :3], clip[:1, :, 6]
    hand = np.linalg.norm(positions[0, 30] - positions[0, 21])
    building = STILL.changed(hand_shape_jitter=0.2)
    offsets = [
        building(positions, confidence, 60.0, np.random.default_rng(seed))[0] - positions
        for seed in range(400)
    ]
    spread = np.sqrt(np.square(offsets).mean(axis=(0, 1, 3)))[21:] / hand
    np.testing.assert_allclose(spread[[4, 8, 12, 16, 20]], 0.2, rtol=0.1)
    np.testing.assert_allclose(spread[[1, 5, 9, 13, 17]], 0.1, rtol=0.1)


def test_reach_and_bend_spread_by_the_logarithm(movement):
    clip = movement(1, 0)
    positions, confidence = clip[..., :3], clip[..., 6]

    def size(places, joint):  # of what joint 30 does: of its wrist's way, of its own at the wrist
        way = places[:, joint] - (places[:, 21] if joint == 30 else 0)
        return np.log(np.linalg.norm(way - way.mean(axis=0)))

    for option, joint, other in (("trajectory_scale", 21, 30), ("pose_scale", 30, 21)):
        grown = []
        for seed in range(200):
            varied = STILL.changed(**{option: 0.3})
            places, _ = varied(positions, confidence, 60.0, np.random.default_rng(seed))
            grown.append([size(places, at) - size(positions, at) for at in (joint, other)])
        np.testing.assert_allclose(np.std(grown, axis=0), [0.3, 0], rtol=0.15, atol=1e-3)


@pytest.mark.parametrize(
    "options",
    [{"shear": 0.2}, {"jitter": 0.05}, {"camera": 1, "camera_rate": 12}, {"joint_mask": 0.3}],
)
def test_further_variations_do_something_and_keep_the_length(movement, options):
    clip = movement(1, 0)
    varied = STILL.changed(**options)(clip[..., :3], clip[..., 6], 60.0, np.random.default_rng(4))
    assert varied[0].shape == clip[..., :3].shape
    assert not np.allclose(varied[0], clip[..., :3], atol=1e-4)
    assert not varied[1][:, :21].any()


def test_every_joint_may_be_hidden_but_never_a_wrist(movement):
    clip = movement(1, 0)
    hiding = STILL.changed(joint_mask=1)
    _, confidence = hiding(clip[..., :3], clip[..., 6], 60.0, np.random.default_rng(0))
    assert np.flatnonzero(confidence.any(axis=0)).tolist() == [21]


def test_speed_as_a_pair_reaches_both_factors_and_keeps_room_for_the_labels():
    paces = [
        STILL.changed(speed=(0.5, 1.5)).pace(101, 60.0, np.random.default_rng(seed)).count
        for seed in range(300)
    ]
    assert 66 <= min(paces) < 72
    assert 185 < max(paces) <= 201
    short = STILL.changed(speed=(1.5, 1.5)).pace(30, 60.0, np.random.default_rng(0), 28)
    assert short.count == 28


@pytest.mark.parametrize("options", [{"speed": (1.5, 0.5)}, {"sentence": 2}, {"nothing": 1}])
def test_faulty_change_is_refused_by_name(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        STILL.changed(**options)


def test_jitter_never_turns_time_back():
    pace = STILL.changed(jitter=0.1).pace(50, 60.0, np.random.default_rng(0))
    times = pace.times(np.random.default_rng(1))
    assert (np.diff(times) >= 0).all()
    assert 0 <= times[0] <= times[-1] <= 49


def test_a_hold_repeats_one_moment_and_a_withdrawal_goes_back_from_the_end():
    generator = np.random.default_rng(0)
    pace = Pace(0.0, 10.0, 11, 0.0, 0.0, hold_at=0.6, hold=4)
    assert pace.times(generator).tolist() == [0, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 7, 8, 9, 10]
    assert pace.frames == 15
    back = Pace(5.0, 3.0, 4, 0.0, 0.0, hold=2, withdraws=True)
    assert back.times(generator).tolist() == [5, 6, 7, 8, 8, 8, 7, 6, 5]
    assert back.frames == 9
    assert Pace(2.0, 0.0, 1, 0.0, 0.0, hold=2, withdraws=True).times(generator).tolist() == [2] * 3


def test_holds_are_as_frequent_and_as_long_as_asked_for_and_not_early():
    augmentation = STILL.changed(hold=0.5, hold_seconds=2.0)
    paces = [augmentation.pace(60, 60.0, np.random.default_rng(seed)) for seed in range(300)]
    held = [pace for pace in paces if pace.hold]
    assert 120 <= len(held) <= 180
    assert 110 < max(pace.hold for pace in held) <= 120
    assert 0.4 <= min(pace.hold_at for pace in held) < 0.45
    assert max(pace.hold_at for pace in held) > 0.95
    assert all(pace.frames == 60 + pace.hold for pace in paces)
