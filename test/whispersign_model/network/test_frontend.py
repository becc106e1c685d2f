# SPDX-License-Identifier: MIT
"""Frontend: true hand parts, mirrored hands, lengths, causality, and honest statistics."""

import pytest
import torch

from whispersign_model.network.config import PARTS, PARTS_PER_HAND
from whispersign_model.network.frontend import (
    PART_JOINTS,
    ConvSPE,
    ValidBatchNorm,
    patch_count,
    whole_patches,
)
from whispersign_model.skeleton import FINGERS, JOINTS_PER_HAND


def tokens(model, data, lengths):
    """Tokens after the patch embedding: ``(B, T', parts, c)``."""
    embedded = model.frontend.patches(whole_patches(data, lengths, 4))
    return embedded.flatten(2).unflatten(-1, (PARTS, -1))


def test_every_joint_belongs_to_a_part_and_every_fingertip_to_one():
    assert {joint for part in PART_JOINTS for joint in part} == set(range(JOINTS_PER_HAND))
    for finger in FINGERS.values():
        assert sum(finger[-1] in part for part in PART_JOINTS) == 1


@pytest.mark.parametrize("hand", [0, 1])
@pytest.mark.parametrize("joint", range(JOINTS_PER_HAND))
def test_a_joint_moves_the_tokens_of_its_own_parts_only(model, batch, hand, joint):
    data, lengths = batch([8])
    moved = data.clone()
    moved[:, 5, hand * JOINTS_PER_HAND + joint, :3] += 1
    changed = (tokens(model, data, lengths) != tokens(model, moved, lengths)).any(dim=-1)
    parts = [part for part, joints in enumerate(PART_JOINTS) if joint in joints]
    assert torch.nonzero(changed).tolist() == [[0, 1, hand * PARTS_PER_HAND + p] for p in parts]


def test_every_number_of_a_frame_counts(model, batch):
    data, lengths = batch([4])
    data.requires_grad_()
    tokens(model, data, lengths).pow(2).sum().backward()
    assert (data.grad != 0).all()


def test_hands_are_mirror_images(model, batch):
    data, lengths = batch([16])
    mirrored = torch.cat([data[:, :, 21:], data[:, :, :21]], dim=2)
    mirrored[..., [0, 3]] *= -1
    ours, theirs = (model.frontend(x, lengths)[0] for x in (data, mirrored))
    torch.testing.assert_close(ours.roll(PARTS_PER_HAND, dims=2), theirs)


def test_last_frame_fills_the_last_patch_and_padding_is_never_read():
    data = torch.arange(10.0).reshape(2, 5, 1, 1)
    data[1, 2:] = torch.nan
    whole = whole_patches(data, torch.tensor([5, 2]), 4)
    assert whole.flatten(1).tolist() == [[0, 1, 2, 3, 4, 4, 4, 4], [5, 6, 6, 6, 6, 6, 6, 6]]


@pytest.mark.parametrize(("frames", "patches"), [(1, 1), (4, 1), (5, 2), (8, 2), (9, 3)])
def test_patches_of_a_clip(model, batch, frames, patches):
    found, lengths = model.frontend(*batch([frames]))
    assert found.shape[1] == patches == int(lengths) == int(patch_count(torch.tensor(frames), 4))


def test_conv_spe_sees_its_kernel_of_the_past_and_nothing_ahead():
    torch.manual_seed(0)
    encode = ConvSPE(8, 3)
    x = torch.randn(1, 10, 8)
    changed = x.clone()
    changed[:, 4] += 1
    difference = (encode(x) != encode(changed)).any(dim=-1)[0]
    assert torch.nonzero(difference).flatten().tolist() == [4, 5, 6]
    only = encode(x * (torch.arange(8) == 5))
    assert (only != encode(torch.zeros_like(x)))[..., 0].any()  # pointwise: channels mix


def test_conv_spe_is_depthwise_then_pointwise():
    torch.manual_seed(0)
    encode = ConvSPE(6, 5)
    x = torch.randn(2, 7, 6)
    padded = torch.nn.functional.pad(x.transpose(1, 2), (4, 0))
    depthwise = torch.nn.functional.conv1d(
        padded, encode.depthwise[:, None], encode.depthwise_bias, groups=6
    )
    hidden = torch.nn.functional.gelu(depthwise.transpose(1, 2))
    torch.testing.assert_close(encode(x), x + encode.pointwise(hidden))


def test_absent_hand_is_silent_and_does_not_change_statistics(model, batch):
    data, lengths = batch([32])
    data[:, :, :21] = 0
    assert not model.frontend(data, lengths)[0][:, :, :PARTS_PER_HAND].any()
    norm = model.frontend.train().norm
    model.frontend(data, lengths)
    with_absent = norm.running_mean.clone()
    norm.reset_running_stats()
    both = torch.cat([data[:, :, 21:], data[:, :, 21:]], dim=2)
    both[:, :, :21, [0, 3]] *= -1
    model.frontend(both, lengths)
    torch.testing.assert_close(with_absent, norm.running_mean)


def test_padding_does_not_change_statistics(model, batch):
    frontend = model.frontend.train()
    found = []
    for garbage in (0.0, 999.0):
        frontend.norm.reset_running_stats()
        frontend(*batch([40, 9], garbage))
        found.append((frontend.norm.running_mean.clone(), frontend.norm.running_var.clone()))
    torch.testing.assert_close(found[0], found[1])
    alone = ValidBatchNorm(4)
    rows = torch.randn(20, 4)
    valid = torch.arange(20) < 12
    normed = alone(rows, valid)
    torch.testing.assert_close(normed[:12], torch.nn.BatchNorm1d(4)(rows[:12]))
    assert not normed[12:].any()


def test_spatial_dropout_takes_whole_channels(model, batch):
    torch.manual_seed(3)
    model.frontend.spatial_dropout.p = 0.5
    found = model.frontend.train()(*batch([64]))[0]
    silent = (found == 0).all(dim=1)
    assert 0.2 < silent.float().mean() < 0.8
    assert (found != 0).any(dim=1).equal(~silent)
    assert ((found == 0) == silent[:, None]).all()
