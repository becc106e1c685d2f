# SPDX-License-Identifier: MIT
"""S-MHSA over parts, T-MHSA over time, cross attention: who sees whom."""

import itertools

import pytest
import torch

from whispersign_model.network.attention import (
    BlockLinear,
    CrossAttention,
    SpatialAttention,
    TemporalAttention,
    relative_positions,
)
from whispersign_model.network.config import PARTS, PARTS_PER_HAND
from whispersign_model.network.masking import attention_bias

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def temporal(steps: int, groups: int = 2) -> tuple[TemporalAttention, torch.Tensor, torch.Tensor]:
    """Attention over 16 channels with a large relative part, a free bias, and distances."""
    attention = TemporalAttention(16, 4, groups, max_distance=8, dropout=0.0)
    torch.nn.init.normal_(attention.relative)
    torch.nn.init.normal_(attention.relative_bias)
    return attention, torch.zeros(1, 1, steps, steps), relative_positions(steps, 8, CPU)


def test_block_linear_keeps_blocks_apart():
    linear = BlockLinear(3, 4, 5)
    torch.nn.init.normal_(linear.bias)
    x = torch.randn(7, 3, 4)
    for block in range(3):
        expected = x[:, block] @ linear.weight[block] + linear.bias[block]
        torch.testing.assert_close(linear(x)[:, block], expected)


def test_spatial_attention_mixes_all_parts_of_one_step_and_no_other():
    attention = SpatialAttention(16, 4)
    x = torch.randn(6, PARTS, 16)
    changed = x.clone()
    changed[3, 1] += 1
    before, after = attention(x)[0], attention(changed)[0]
    assert (before != after).any(dim=-1).all(dim=-1).tolist() == [False] * 3 + [True] + [False] * 2
    torch.testing.assert_close(before[[0, 1, 2, 4, 5]], after[[0, 1, 2, 4, 5]])


def test_spatial_map_says_whom_a_part_listens_to():
    attention = SpatialAttention(16, 4)
    with torch.no_grad():
        attention.bias[2, 5, 1] = 50.0  # key 5, query 1
    _, spatial_map = attention(torch.randn(3, PARTS, 16))
    assert spatial_map.shape == (3, 4, PARTS, PARTS)
    torch.testing.assert_close(spatial_map.sum(dim=-1), torch.ones(3, 4, PARTS))
    torch.testing.assert_close(spatial_map[:, 2, 1, 5], torch.ones(3))


def test_spatial_attention_equals_the_textbook():
    attention = SpatialAttention(8, 2)
    x = torch.randn(5, PARTS, 8)
    weight = attention.query_key_value.weight.repeat(2, 1, 1)  # the same for both hands
    query, key, value = torch.einsum("npc,pcd->npd", x, weight).chunk(3, dim=-1)
    heads = []
    for head in (slice(0, 4), slice(4, 8)):
        scores = torch.einsum("nqc,nkc->nqk", query[..., head], key[..., head]) / 2
        heads.append(scores.softmax(dim=-1) @ value[..., head])
    output = attention.output.weight.repeat(2, 1, 1)
    expected = torch.einsum("npc,pcd->npd", torch.cat(heads, dim=-1), output)
    torch.testing.assert_close(attention(x)[0], expected)


def test_hands_exchanged_give_the_exchanged_output():
    attention = SpatialAttention(16, 4)
    x = torch.randn(4, PARTS, 16)
    exchanged = attention(x.roll(PARTS_PER_HAND, dims=1))[0]
    torch.testing.assert_close(attention(x)[0].roll(PARTS_PER_HAND, dims=1), exchanged)


def test_temporal_attention_does_not_care_where_the_clip_begins():
    attention, _, distance = temporal(12)
    x = torch.randn(1, 12, 16)
    allowed = torch.ones(12, 12, dtype=torch.bool).tril().triu(-3)
    whole, _ = attention(x, attention_bias(allowed)[None, None], distance)
    later, _ = attention(
        x[:, 4:], attention_bias(allowed[:8, :8])[None, None], relative_positions(8, 8, CPU)
    )
    torch.testing.assert_close(whole[:, 7:], later[:, 3:])


def test_temporal_attention_depends_on_distance_and_direction():
    attention, bias, distance = temporal(9)
    x = torch.randn(1, 1, 16).expand(1, 9, 16).clone()
    x[:, 4] = torch.randn(16)
    output = attention(x, bias, distance)[0][0]
    others = [step for step in range(9) if step != 4]
    for one, other in itertools.combinations(others, 2):
        assert not torch.allclose(output[one], output[other]), (one, other)


def test_far_steps_share_a_relative_position():
    distance = relative_positions(30, 5, CPU)
    assert distance[20, 0] == distance[20, 10] == distance[25, 2] == 10
    assert distance[0, 20] == 0
    assert distance[7, 7] == 5
    assert distance[7, 6] == 6


@pytest.mark.parametrize("groups", [1, 2])
def test_temporal_attention_equals_the_textbook(groups):
    attention, bias, distance = temporal(6, groups)
    x = torch.randn(2, 6, 16)
    width, per_group = 16 // groups, 4 // groups
    outputs = []
    for group in range(groups):
        part = x[..., group * width : (group + 1) * width]
        mixed = part @ attention.query_key_value.weight[group]
        query, key, value = mixed.chunk(3, dim=-1)
        heads = []
        for head in range(per_group):
            where = slice(4 * head, 4 * head + 4)
            number = group * per_group + head
            table = attention.relative[number][distance]  # (T, T, c)
            q = query[..., where]
            scores = q @ key[..., where].transpose(1, 2)
            moved = q + attention.relative_bias[number]
            scores = (scores + torch.einsum("btc,tsc->bts", moved, table)) / 2
            heads.append(scores.softmax(dim=-1) @ value[..., where])
        outputs.append(torch.cat(heads, dim=-1) @ attention.output.weight[group])
    torch.testing.assert_close(attention(x, bias, distance)[0], torch.cat(outputs, dim=-1))


def test_temporal_attention_obeys_its_bias():
    attention, _, distance = temporal(5)
    bias = attention_bias(torch.eye(5, dtype=torch.bool))[None, None]
    x = torch.randn(1, 5, 16)
    changed = x.clone()
    changed[:, 2] += 1
    before, after = attention(x, bias, distance)[0], attention(changed, bias, distance)[0]
    difference = (before != after).any(dim=-1)
    assert difference[0].tolist() == [False, False, True, False, False]


def test_cross_attention_equals_torch():
    ours = CrossAttention(16, 4, dropout=0.0)
    theirs = torch.nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key_value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key_value.bias]))
        theirs.out_proj.weight.copy_(ours.output.weight)
        theirs.out_proj.bias.copy_(ours.output.bias)
    x, memory = torch.randn(2, 3, 16), torch.randn(2, 7, 16)
    present = torch.arange(7) < torch.tensor([7, 4])[:, None]
    expected, _ = theirs(x, memory, memory, key_padding_mask=~present)
    found = ours(x, memory, attention_bias(present)[:, None, None])
    torch.testing.assert_close(found, expected)
