# SPDX-License-Identifier: MIT
"""Encoder: the order of channels, context, and what one hand owes the other."""

import pytest
import torch

from whispersign_model.network.config import GROUPS, PARTS, PARTS_PER_HAND
from whispersign_model.network.encoder import by_group, by_part


def test_every_group_holds_a_share_of_every_part():
    tokens = torch.arange(PARTS)[:, None].expand(1, 1, PARTS, 16).float()
    x = by_group(tokens)
    assert [int(part) for part in x.view(GROUPS, -1)[0]] == [
        p for p in range(PARTS) for _ in "12345678"
    ]
    assert by_part(x).equal(tokens)
    random = torch.randn(2, 3, PARTS * 16)
    assert by_group(by_part(random)).equal(random)


def test_maps_are_given_for_every_block_step_and_head(model, batch):
    maps = model.spatial_attention(*batch([32]))
    assert [found.shape for found in maps] == [(1, 8, 4, PARTS, PARTS)] * 2
    torch.testing.assert_close(maps[1].sum(dim=-1), torch.ones(1, 8, 4, PARTS))


def test_present_hand_fills_the_room_of_the_absent_one(model, batch):
    data, lengths = batch([16])
    data[:, :, :21] = 0
    tokens, steps = model.frontend(data, lengths)
    block = model.encoder.blocks[0]
    seen = []
    block.temporal_norm.register_forward_hook(lambda *call: seen.append(call[1][0]))
    model.encoder(tokens, steps)
    left = by_part(seen[0])[:, :, :PARTS_PER_HAND]
    assert left.std(dim=1).mean() > 0.01  # it moves with the right hand


@pytest.mark.parametrize("chunk", [1, 2, 4, 8])
def test_a_chunk_never_sees_what_comes_after_it(model, batch, chunk):
    data, lengths = batch([96])
    before = model(data, lengths, chunk).log_probs
    data[:, 64:] += 5
    after = model(data, lengths, chunk).log_probs
    torch.testing.assert_close(before[:, :16], after[:, :16], atol=1e-6, rtol=0)
    assert not torch.isclose(before[:, 16:], after[:, 16:]).all(dim=-1).any()


def test_left_context_is_bounded(model, batch):
    model.encoder.left_context = 3
    data, lengths = batch([160])
    before = model(data, lengths, 1).states
    data[:, :4] += 5
    after = model(data, lengths, 1).states
    reach = 4 + 2 * 3  # ConvSPE's past, then as far back as each of two blocks looks
    changed = (before != after).any(dim=-1)[0]
    assert changed[: reach + 1].any()
    assert not changed[reach + 1 :].any()
