# SPDX-License-Identifier: MIT
"""The cached step: chunk by chunk it gives what the offline pass gives under the chunk's mask."""

import pytest
import torch

from whispersign_model.network.attention import BlockLinear
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.frontend import whole_patches
from whispersign_model.network.masking import FULL
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.network.streaming import (
    EncoderStep,
    Rescorer,
    SplitFeedForward,
    SplitLinear,
    StreamState,
    initial_state,
    with_plain_products,
)

CPU = torch.device("cpu")
LENGTHS = (1, 4, 7, 90, 243)  # frames; the left context of the short-sighted network is 24


def network(left_context: int = 6, kernel_size: int = 5) -> WhisperSignModel:
    """A small network that soon forgets, with a large and one-sided relative part."""
    config = ModelConfig.model_validate(
        {
            "frontend": {"d_model": 64, "kernel_size": kernel_size},
            "encoder": {"d_ff": 64, "left_context": left_context, "max_distance": 3},
            "decoder": {"vocab_size": 6},
        }
    )
    torch.manual_seed(0)
    model = WhisperSignModel(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "relative" in name or "bias" in name:
                torch.nn.init.normal_(parameter)
        for block in model.encoder.blocks:
            block.temporal.query_key_value.weight *= 3
    return model


def clip(frames: int) -> torch.Tensor:
    """Features ``(1, frames, 42, 7)``; hands come and go."""
    generator = torch.Generator().manual_seed(frames)
    data = torch.randn(1, frames, 2, 21, 7, generator=generator)
    data[..., 6] = 1
    data *= (
        torch.rand(1, frames // 10 + 1, 2, generator=generator)
        .gt(0.3)
        .repeat_interleave(10, dim=1)[:, :frames, :, None, None]
    )
    return data.flatten(2, 3)


@torch.inference_mode()
def in_chunks(
    model: WhisperSignModel, data: torch.Tensor, chunk: int
) -> tuple[torch.Tensor, torch.Tensor, StreamState]:
    """Return log-probabilities, states and the last state."""
    patches = whole_patches(data, torch.tensor([data.shape[1]]), 4)[0]
    state, rows, states = initial_state(model.config, CPU), [], []
    for part in patches.split(chunk or len(patches)):
        log_probs, encoded, known, tokens, *memories = EncoderStep(model)(part, *state)
        state = StreamState(known, tokens, tuple(memories))
        rows.append(log_probs)
        states.append(encoded)
    return torch.cat(rows), torch.cat(states), state


@pytest.mark.parametrize("chunk", [FULL, 1, 2, 4, 8])
@pytest.mark.parametrize("frames", LENGTHS)
def test_step_by_step_equals_the_offline_pass(frames, chunk):
    model, data = network(), clip(frames)
    with torch.inference_mode():
        offline = model(data, torch.tensor([frames]), chunk)
    rows, states, _ = in_chunks(model, data, chunk)
    torch.testing.assert_close(rows, offline.log_probs[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(states, offline.states[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("kernel_size", [1, 2])
def test_any_kernel_of_conv_spe(kernel_size):
    model, data = network(kernel_size=kernel_size), clip(90)
    rows, _, _ = in_chunks(model, data, 2)
    with torch.inference_mode():
        expected = model(data, torch.tensor([90]), 2).log_probs[0]
    torch.testing.assert_close(rows, expected, atol=1e-4, rtol=0)


def test_the_past_matters_as_far_as_the_left_context_and_no_farther():
    """Without this the tests above could pass on a network that looks at nothing."""
    model, data = network(), clip(243)
    rows, _, _ = in_chunks(model, data, 2)
    _, _, state = in_chunks(model, data[:, :240], 2)
    forgetful, _, _ = in_chunks(model, data[:, 240 - 16 :], 2)
    assert (rows[-1] - forgetful[-1]).abs().max() > 1e-2
    assert [tuple(memory.shape) for memory in state.memories] == [(1, 1, 4, 6, 16)] * 4
    reach = 4 * (2 * 6 + 4 + 8)  # two blocks, ConvSPE, and the chunks' own steps
    enough, _, _ = in_chunks(model, data[:, 240 - reach :], 2)
    torch.testing.assert_close(rows[-1], enough[-1], atol=1e-4, rtol=0)


def test_the_state_does_not_grow():
    model = network()
    _, _, some = in_chunks(model, clip(60), 2)
    _, _, more = in_chunks(model, clip(2000), 2)
    assert [part.shape for part in (some.known, some.tokens, *some.memories)] == [
        part.shape for part in (more.known, more.tokens, *more.memories)
    ]
    assert int(more.known) == 6


def test_plain_products_compute_the_same_and_leave_the_network_alone():
    model, data = network(), clip(90)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    plain = with_plain_products(model)
    rows, states, _ = in_chunks(model, data, 4)
    again, states_again, _ = in_chunks(plain, data, 4)
    torch.testing.assert_close(again, rows, atol=1e-4, rtol=0)
    torch.testing.assert_close(states_again, states, atol=1e-4, rtol=0)
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    block = plain.encoder.blocks[0]
    assert isinstance(block.feed_forward, SplitFeedForward)
    assert isinstance(block.temporal.query_key_value, SplitLinear)
    assert block.temporal.scale == 1.0


def test_split_linear_is_block_linear():
    linear = BlockLinear(3, 4, 5)
    torch.nn.init.normal_(linear.bias)
    x = torch.randn(7, 3, 4)
    torch.testing.assert_close(SplitLinear(linear)(x), linear(x))


def test_rescorer_scores_as_the_network_does():
    model = network()
    states = torch.randn(9, 64)
    hypotheses = [(1, 2, 3), (), (5,)]
    sequences = torch.tensor([[1, 2, 3], [4, 4, 4], [5, 2, 2]])  # padding may hold anything
    found = Rescorer(model)(states, sequences, torch.tensor([3, 0, 1]))
    expected = torch.from_numpy(model.rescore([states[None]], hypotheses))
    torch.testing.assert_close(found, expected)
