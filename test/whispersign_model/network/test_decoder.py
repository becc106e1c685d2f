# SPDX-License-Identifier: MIT
"""The two decoders: blank and gloss apart, a causal second pass, and its scores."""

import torch

from whispersign_model.network.decoder import AttentionDecoder


def test_ctc_head_gives_probabilities_and_decides_blank_apart_from_glosses(model):
    states = torch.randn(2, 5, 128)
    log_probs = model.ctc(states)
    torch.testing.assert_close(log_probs.exp().sum(dim=-1), torch.ones(2, 5))
    scores = model.ctc.project(states)
    torch.testing.assert_close(log_probs[..., 0].exp(), scores[..., 0].sigmoid())
    among = log_probs[..., 1:].log_softmax(dim=-1)
    torch.testing.assert_close(among, scores[..., 1:].log_softmax(dim=-1))


def test_blank_leaves_the_glosses_their_gradient(model):
    with torch.no_grad():
        model.ctc.project.bias[0] = 12.0  # nearly everything is blank
    states = torch.randn(1, 5, 128)
    model.ctc(states)[0, 2, 3].backward()
    gradient = model.ctc.project.bias.grad
    assert (gradient[1:].abs() > 0.01).all()


def test_decoder_never_looks_ahead(model):
    memory, lengths = torch.randn(1, 9, 128), torch.tensor([9])
    before = model.decoder(memory, lengths, torch.tensor([[0, 1, 2, 3]]))
    after = model.decoder(memory, lengths, torch.tensor([[0, 1, 5, 4]]))
    torch.testing.assert_close(before[:, :2], after[:, :2])
    assert not torch.allclose(before[:, 2:], after[:, 2:])


def test_decoder_knows_the_order_of_what_came_before(model):
    memory, lengths = torch.randn(1, 9, 128), torch.tensor([9])
    one = model.decoder(memory, lengths, torch.tensor([[0, 1, 2, 3]]))[:, -1]
    other = model.decoder(memory, lengths, torch.tensor([[0, 2, 1, 3]]))[:, -1]
    assert not torch.allclose(one, other)


def test_decoder_reads_valid_memory_only(model):
    memory = torch.randn(1, 9, 128)
    previous = torch.tensor([[0, 1]])
    before = model.decoder(memory, torch.tensor([6]), previous)
    memory[:, 6:] = 999.0
    torch.testing.assert_close(before, model.decoder(memory, torch.tensor([6]), previous))
    assert not torch.allclose(before, model.decoder(memory[:, :5], torch.tensor([5]), previous))


def test_score_sums_each_gloss_and_the_end(model):
    memory, lengths = torch.randn(2, 9, 128), torch.tensor([9, 7])
    targets = torch.tensor([[3, 1], [2, 999]])  # what stands in the padding does not matter
    log_probs = model.decoder(memory, lengths, torch.tensor([[0, 3, 1], [0, 2, 0]]))
    expected = torch.stack(
        [
            log_probs[0, 0, 3] + log_probs[0, 1, 1] + log_probs[0, 2, 0],
            log_probs[1, 0, 2] + log_probs[1, 1, 0],
        ]
    )
    scores = model.decoder.score(memory, lengths, targets, torch.tensor([2, 1]))
    torch.testing.assert_close(scores, expected)


def test_boundary_stands_before_and_behind():
    inputs, outputs = AttentionDecoder.shifted(torch.tensor([[4, 5], [6, 9]]), torch.tensor([2, 1]))
    assert inputs.tolist() == [[0, 4, 5], [0, 6, 0]]
    assert outputs.tolist() == [[4, 5, 0], [6, 0, 0]]


def test_nothing_is_a_sequence_too(model):
    memory, steps = torch.randn(1, 5, 128), torch.tensor([5])
    alone = model.decoder.score(memory, steps, torch.zeros(1, 0, dtype=torch.long), steps * 0)
    padded = model.decoder.score(memory, steps, torch.zeros(1, 2, dtype=torch.long), steps * 0)
    assert alone.item() < 0
    torch.testing.assert_close(alone, padded)
