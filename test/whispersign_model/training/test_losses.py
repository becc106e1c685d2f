# SPDX-License-Identifier: MIT
"""The losses against their definitions: every path summed, every gloss and end counted once."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from whispersign_model.decoding.ctc import collapse
from whispersign_model.training.losses import attention_loss, ctc_loss, detection_loss, hybrid_loss

TARGETS, LENGTHS = torch.tensor([[1, 2], [3, 3], [2, 0]]), torch.tensor([2, 2, 1])
STEPS = torch.tensor([5, 4, 3])


def posteriors(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator).log_softmax(-1)


def log_likelihood(log_probs: Tensor, glosses: tuple[int, ...]) -> float:
    """Sum over all paths that collapse to the glosses."""
    steps, labels = log_probs.shape
    total = -np.inf
    for path in product(range(labels), repeat=steps):
        if collapse(path) == glosses:
            total = np.logaddexp(total, log_probs[torch.arange(steps), list(path)].sum().item())
    return float(total)


def test_ctc_is_the_mean_over_clips_of_the_likelihood_a_gloss() -> None:
    log_probs = posteriors(3, 5, 4)
    expected = [
        -log_likelihood(log_probs[row, : STEPS[row]], tuple(TARGETS[row, : LENGTHS[row]].tolist()))
        / LENGTHS[row]
        for row in range(3)
    ]
    loss = ctc_loss(log_probs, STEPS, TARGETS, LENGTHS)
    assert loss.item() == pytest.approx(sum(expected) / 3, rel=1e-5)
    assert ctc_loss(log_probs.bfloat16(), STEPS, TARGETS, LENGTHS).dtype == torch.float32


def test_padding_changes_no_loss() -> None:
    log_probs, predicted = posteriors(3, 5, 4), posteriors(3, 3, 4)
    clean = (
        ctc_loss(log_probs, STEPS, TARGETS, LENGTHS),
        attention_loss(predicted, TARGETS, LENGTHS, 0.1),
    )
    targets = TARGETS.clone()
    targets[2, 1] = 3
    for row in range(3):
        log_probs[row, STEPS[row] :] = -999.0
        predicted[row, LENGTHS[row] + 1 :] = -999.0
    assert ctc_loss(log_probs, STEPS, targets, LENGTHS).item() == clean[0].item()
    assert attention_loss(predicted, targets, LENGTHS, 0.1).item() == clean[1].item()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_attention_is_the_mean_over_glosses_and_ends_of_smoothed_cross_entropy(
    smoothing: float,
) -> None:
    predicted = posteriors(3, 3, 4)
    following = [(0, 0, 1), (0, 1, 2), (0, 2, 0), (1, 0, 3), (1, 1, 3), (1, 2, 0), (2, 0, 2)]
    following += [(2, 1, 0)]
    expected = 0.0
    for row, place, gloss in following:
        wanted = torch.full((4,), smoothing / 4)
        wanted[gloss] += 1 - smoothing
        expected -= (wanted * predicted[row, place]).sum().item() / len(following)
    loss = attention_loss(predicted, TARGETS, LENGTHS, smoothing)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_each_part_has_its_weight_and_its_gradient(alpha: float) -> None:
    ctc, attention = (torch.tensor(value, requires_grad=True) for value in (2.0, 5.0))
    losses = hybrid_loss(ctc, attention, alpha)
    assert losses.total.item() == pytest.approx(alpha * 2 + (1 - alpha) * 5)
    assert (losses.ctc.item(), losses.attention.item()) == (2, 5)
    losses.total.backward()
    gradients = [0 if each.grad is None else each.grad.item() for each in (ctc, attention)]
    assert gradients == pytest.approx([alpha, 1 - alpha])


def test_detection_is_the_cross_entropy_of_each_stretch_s_gloss_or_of_nothing() -> None:
    said = posteriors(3, 4)
    segments = torch.tensor([[0, 0, 9, 2], [1, 3, 8, 0], [0, 5, 9, 3]])

    class Decoder:
        def read_segments(self, features: Tensor, places: Tensor) -> Tensor:
            assert places.tolist() == segments[:, :3].tolist()
            return said

    expected = -(said[0, 2] + said[1, 0] + said[2, 3]) / 3
    loss = detection_loss(Decoder(), torch.zeros(2, 9, 42, 7), segments, 0.0)
    torch.testing.assert_close(loss, expected)
    smoothed = detection_loss(Decoder(), torch.zeros(2, 9, 42, 7), segments, 0.1)
    torch.testing.assert_close(smoothed, 0.9 * expected - 0.1 * said.mean())
