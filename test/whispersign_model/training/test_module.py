# SPDX-License-Identifier: MIT
"""One stage of training: what learns, at what rate, by which chance, and what is validated."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from unittest.mock import Mock

import pytest
import torch

from whispersign_model.decoding.hypothesis import Hypothesis
from whispersign_model.errors import DatasetError
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.training import module as training_module
from whispersign_model.training.config import StageConfig, TrainingConfig
from whispersign_model.training.losses import Losses, detection_loss
from whispersign_model.training.module import TrainingModule, warm_up_cosine
from whispersign_model.training_data.batch import Batch

GLOSSES = ("A", "B", "C")
Make = Callable[..., TrainingModule]


@pytest.fixture
def make() -> Make:
    """Return a function that makes a stage of a small network; fields are those of the stage."""

    def module(averaging: float = 0.9, **fields: object) -> TrainingModule:
        torch.manual_seed(0)
        stage = StageConfig(**{"name": "joint", "epochs": 1, "learning_rate": 1e-3, **fields})
        config = TrainingConfig(averaging=averaging, stages=(stage,))
        model = WhisperSignModel(ModelConfig().with_vocabulary(len(GLOSSES)))
        return TrainingModule(model, stage, config, GLOSSES)

    return module


@pytest.fixture
def batch() -> Batch:
    """Two clips of one and two glosses."""
    features = torch.randn(2, 32, 42, 7, generator=torch.Generator().manual_seed(0))
    features[..., 6] = 1
    features[1, 24:] = 0
    targets, lengths = torch.tensor([[1, 3], [2, 0]]), torch.tensor([2, 1])
    return Batch(
        features,
        torch.tensor([32, 24]),
        targets,
        lengths,
        ("a", "b"),
        torch.zeros(0, 4, dtype=torch.long),
    )


def gradients(module: TrainingModule, batch: Batch) -> set[str]:
    """Return the parts of the module that the loss of a batch teaches."""
    module.train()
    module.on_train_epoch_start()
    module.losses(batch, 0).total.backward()
    taught = {
        name.removeprefix("model.").split(".")[0]
        for name, parameter in module.named_parameters()
        if parameter.grad is not None and parameter.grad.any()
    }
    module.zero_grad()
    return taught


def test_rate_rises_over_the_warm_up_and_falls_to_its_share() -> None:
    stage = StageConfig(name="x", epochs=1, learning_rate=1.0, warm_up=0.2, final_learning_rate=0.1)
    rates = [warm_up_cosine(step, 50, stage) for step in range(52)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10] == pytest.approx(1.0)
    assert rates[30] == pytest.approx(0.55)
    assert rates[50] == rates[51] == pytest.approx(0.1)
    assert all(later < rate for rate, later in pairwise(rates[10:51]))


def test_only_the_stage_s_components_learn(make: Make, batch: Batch) -> None:
    first = make(train=("frontend",), auxiliary=True, alpha=1.0)
    assert gradients(first, batch) == {"frontend", "auxiliary"}
    assert [first.model.frontend.training, first.model.encoder.training] == [True, False]
    second = StageConfig(
        name="second", epochs=1, learning_rate=1e-3, train=("encoder", "ctc", "decoder")
    )
    following = TrainingModule(first.model, second, first.config, GLOSSES)
    assert gradients(following, batch) == {"encoder", "ctc", "decoder"}
    assert [first.model.frontend.training, first.model.encoder.training] == [False, True]


def test_each_loss_teaches_its_own_decoder(make: Make, batch: Batch) -> None:
    whole = {"frontend", "encoder", "ctc", "decoder"}
    assert gradients(make(alpha=0.3), batch) == whole
    assert gradients(make(alpha=1.0), batch) == whole - {"decoder"}
    assert gradients(make(alpha=0.0), batch) == whole - {"ctc"}


def test_segments_teach_the_decoder_to_spot(batch: Batch) -> None:
    """Half of the attention loss is theirs, and the convolutions learn from nothing else."""
    torch.manual_seed(0)
    detects = {"decoder": {"utterance_frames": 16, "candidate_segments": [2, 4]}}
    model = WhisperSignModel(ModelConfig().changed(detects).with_vocabulary(len(GLOSSES)))
    stage = StageConfig(name="joint", epochs=1, learning_rate=1e-3)
    module = TrainingModule(model, stage, TrainingConfig(stages=(stage,)), GLOSSES).eval()
    segments = torch.tensor([[0, 0, 16, 1], [0, 16, 32, 3], [1, 8, 24, 0]])
    with torch.no_grad():
        without = module.losses(batch, 0).attention
        found = module.losses(batch._replace(segments=segments), 0).attention
        spotting = detection_loss(model.decoder, batch.features, segments, 0.1)
    torch.testing.assert_close(found, (without + spotting) / 2)
    assert model.decoder.utterance is not None
    weights = list(model.decoder.utterance.parameters())
    for given, taught in ((batch, False), (batch._replace(segments=segments), True)):
        module.losses(given, 0).total.backward()
        assert all((weight.grad is not None) == taught for weight in weights)


def test_the_loss_honours_lengths(make: Make, batch: Batch) -> None:
    module = make().eval()
    padded = batch._replace(
        features=torch.cat([batch.features, torch.full((2, 8, 42, 7), 9.0)], dim=1),
        targets=torch.cat([batch.targets, torch.full((2, 1), 3)], dim=1),
    )
    padded.features[1, 24:] = 9.0
    padded.targets[1, 1] = 1
    with torch.no_grad():
        for one, other in zip(module.losses(batch, 0), module.losses(padded, 0)):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_chance_follows_from_seed_stage_and_batch_alone(
    make: Make, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[int, float]] = []

    def losses(self: TrainingModule, batch: Batch, chunk: int) -> Losses:
        drawn.append((chunk, torch.rand(()).item()))
        return Losses(*torch.zeros(3))

    monkeypatch.setattr(TrainingModule, "losses", losses)
    monkeypatch.setattr(TrainingModule, "log", lambda *args, **options: None)

    def draw(module: TrainingModule, number: int) -> tuple[int, float]:
        module.trainer = Mock(global_step=0, current_epoch=number // 5, num_training_batches=5)
        module.training_step(batch, number % 5)
        return drawn[-1]

    module = make(chunks=(0, 2, 4))
    batches = [draw(module, number) for number in range(20)]
    assert {chunk for chunk, _ in batches} == {0, 2, 4}
    assert len({number for _, number in batches}) == 20, "whether or not a step was made between"
    assert [draw(module, number) for number in range(20)] == batches
    assert draw(make(chunks=(0, 2, 4), name="realtime"), 0) != batches[0]
    monkeypatch.setattr(training_module, "process", lambda: (1, 2))
    others = [draw(module, number) for number in range(20)]
    assert [chunk for chunk, _ in others] == [chunk for chunk, _ in batches]
    assert not {number for _, number in others} & {number for _, number in batches}


def test_chunks_reach_the_network(make: Make, batch: Batch) -> None:
    module = make().eval()
    with torch.no_grad():
        whole, chunked = module.losses(batch, 0), module.losses(batch, 2)
    assert abs(whole.ctc - chunked.ctc) > 1e-5


def test_the_average_follows_with_a_horizon_that_grows_up_to_its_decay(make: Make) -> None:
    module = make(averaging=0.2)
    weight, averaged = module.model.ctc.project.weight, module.best_weights.ctc.project.weight
    expected = None
    for step in range(8):
        with torch.no_grad():
            weight.fill_(float(step))
        module.average()
        decay = min(0.2, (1 + step) / (10 + step))
        expected = float(step) if expected is None else decay * expected + (1 - decay) * step
        assert averaged[0, 0].item() == pytest.approx(expected, rel=1e-5)
    assert module.best_weights is not module.model
    assert not any(parameter.requires_grad for parameter in module.best_weights.parameters())
    assert make(averaging=0.0).best_weights.ctc.project.weight.requires_grad


def test_validation_counts_the_glosses_of_the_averaged_network_as_it_will_run(
    make: Make, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = make()
    asked = []

    def decode(model: WhisperSignModel, *args: object, **options: object) -> list[Hypothesis]:
        asked.append((model, model.training))
        return [Hypothesis((1, 2), 0.0), Hypothesis((2,), 0.0)]

    monkeypatch.setattr(WhisperSignModel, "decode", decode)
    module.train()
    for _ in range(2):
        module.on_validation_epoch_start()
        module.validation_step(batch, 0)
        assert module.errors.pairs == {("A", "A"): 1, ("C", "B"): 1, ("B", "B"): 1}
        assert (module.errors.wer, module.errors.accuracy) == (1 / 3, 1 / 2)
    assert asked == [(module.averaged.module, False)] * 2


def test_loss_that_is_no_number_stops_with_the_names_of_the_clips(make: Make, batch: Batch) -> None:
    module = make()
    module.trainer = Mock(global_step=6, current_epoch=0, num_training_batches=9)
    broken = batch._replace(features=batch.features * torch.inf)
    with pytest.raises(DatasetError, match=r"^a, b: the loss is nan in step 7; look at"):
        module.training_step(broken, 0)


def test_gradient_that_is_no_number_stops_before_the_weights_are_spoilt(make: Make) -> None:
    module = make()
    module.trainer = Mock(global_step=6)
    module._seen = [(1.0, ("a", "b"))]
    optimizer = torch.optim.SGD(module.model.parameters(), lr=1.0)
    module.model.ctc.project.bias.grad = torch.full((len(GLOSSES) + 1,), torch.nan)
    with pytest.raises(DatasetError, match=r"^a, b: the gradient is nan in step 7; look at"):
        module.configure_gradient_clipping(optimizer)
    module.config = module.config.model_copy(update={"precision": "16-mixed"})
    module.configure_gradient_clipping(optimizer)
    module._seen = [(torch.inf, ("c",))]
    with pytest.raises(DatasetError, match=r"^c: the loss is inf"):
        module.configure_gradient_clipping(optimizer)
