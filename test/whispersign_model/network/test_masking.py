# SPDX-License-Identifier: MIT
"""Masks: which steps exist, which may be attended to, and what a softmax makes of it."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from whispersign_model.network.masking import FULL, attention_bias, chunk_mask, valid_steps

CPU = torch.device("cpu")


@given(st.lists(st.integers(0, 12), min_size=1, max_size=5))
def test_valid_steps_are_those_before_the_length(lengths):
    valid = valid_steps(torch.tensor(lengths), 12)
    assert valid.sum(dim=1).tolist() == lengths
    assert all(row[:length].all() for row, length in zip(valid, lengths))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 30), st.integers(1, 9), st.integers(1, 20))
def test_a_step_sees_its_chunk_and_the_left_context_before_it(steps, chunk, left_context):
    mask = chunk_mask(steps, chunk, left_context, CPU)
    for query in range(steps):
        start = query // chunk * chunk
        seen = range(max(0, start - left_context), min(steps, start + chunk))
        assert torch.nonzero(mask[query]).flatten().tolist() == list(seen)


def test_without_chunks_every_step_sees_all():
    assert chunk_mask(5, FULL, 1, CPU).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**30))
def test_what_is_not_allowed_gets_no_weight_and_an_empty_row_stays_finite(keys, seed):
    generator = torch.Generator().manual_seed(seed)
    allowed = torch.rand(4, keys, generator=generator) < 0.5
    scores = torch.randn(4, keys, generator=generator) * 1e4
    weights = (scores + attention_bias(allowed)).softmax(dim=-1)
    assert torch.isfinite(weights).all()
    some = allowed.any(dim=-1)
    assert not weights[some][~allowed[some]].any()
    expected = scores.masked_fill(~allowed, -torch.inf)[some].softmax(dim=-1)
    torch.testing.assert_close(weights[some], expected)
