# SPDX-License-Identifier: MIT
"""The order of clips, and how little is padded."""

import numpy as np
import pytest

from whispersign_model.training_data import batching
from whispersign_model.training_data.batching import BucketSampler, batch_sizes


def test_batches_hold_every_clip_once_in_an_order_of_the_epoch():
    lengths = list(np.random.default_rng(0).integers(20, 200, 50))
    sampler = BucketSampler(lengths, 8, seed=3)
    epochs = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))
    assert epochs[0] == epochs[2]
    orders = [[index.example for batch in epoch for index in batch] for epoch in epochs]
    assert orders[0] != orders[1]
    assert len(epochs[0]) == len(sampler)
    assert sorted(index.example for batch in epochs[0] for index in batch) == list(range(50))
    padded = sum(len(batch) * max(lengths[i.example] for i in batch) for batch in epochs[0])
    assert 1 - sum(lengths) / padded < 0.15


def test_batches_are_cut_where_padding_is_least():
    assert batch_sizes([100] * 8 + [10] * 8, 8) == [8, 8]
    assert batch_sizes([10] * 12 + [900] * 4, 8)[-1] == 4
    assert batch_sizes([5, 6, 7], 16) == [3]
    assert batch_sizes([], 16) == []


@pytest.mark.parametrize("largest", [1, 2, 3, 4, 7, 32])
@pytest.mark.parametrize("clips", [1, 5, 33, 97])
def test_every_number_of_clips_can_be_cut(clips, largest):
    lengths = np.random.default_rng(clips).integers(20, 900, clips).tolist()
    sizes = batch_sizes(lengths, largest)
    assert sum(sizes) == clips
    assert 1 <= min(sizes) <= max(sizes) <= largest
    if clips > 8 and largest >= 8:
        assert min(sizes) >= 4


def test_several_processes_share_the_batches_equally(monkeypatch):
    lengths = [20] * 20 + [50] * 30
    whole = list(BucketSampler(lengths, 8, seed=3))
    shares = []
    for rank in range(4):
        monkeypatch.setattr(batching, "process", lambda rank=rank: (rank, 4))
        sampler = BucketSampler(lengths, 8, seed=3)
        shares.append(list(sampler))
        assert len(shares[-1]) == len(sampler) == -(-len(whole) // 4)
        held_out = BucketSampler(lengths, 8, seed=None)
        assert len(held_out) == len(list(held_out))
    seen = [index for share in shares for batch in share for index in batch]
    assert set(seen) == {index for batch in whole for index in batch}


def test_each_of_many_processes_has_a_batch_of_few(monkeypatch):
    for rank in range(5):
        monkeypatch.setattr(batching, "process", lambda rank=rank: (rank, 5))
        sampler = BucketSampler([20] * 8, 4, seed=3)
        assert len(list(sampler)) == len(sampler) == 1


def test_lengths_may_depend_on_the_epoch():
    sampler = BucketSampler(lambda epoch: [10, 10, 40, 40][:: -1 if epoch else 1], 2, seed=None)
    assert [[index.example for index in batch] for batch in sampler] == [[0, 1], [2, 3]]
    sampler.set_epoch(1)
    assert [[index.example for index in batch] for batch in sampler] == [[2, 3], [0, 1]]
