# SPDX-License-Identifier: MIT
"""The trainer: what it learns from, what it keeps, and what one stage leaves to the next."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import lightning
import numpy as np
import pytest
import torch

from whispersign_model.datasets.dataset import Dataset
from whispersign_model.errors import ConfigError, RecipeError
from whispersign_model.features.normalisation import fit_scaling
from whispersign_model.features.recipe import Recipe
from whispersign_model.network.checkpoint import CheckpointMetadata, read_metadata
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.encoder import Encoder
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.training import module
from whispersign_model.training.callbacks import KeepBest
from whispersign_model.training.config import StageConfig, TrainingConfig
from whispersign_model.training.module import TrainingModule
from whispersign_model.training.resume import initial_model
from whispersign_model.training.trainer import train
from whispersign_model.training.training_run import RunOptions
from whispersign_model.training_data.augmentation import Augmentation

GLOSSES = ("A", "B")
STAGES = (
    StageConfig(name="first", epochs=1, learning_rate=1e-2),
    StageConfig(name="second", epochs=2, learning_rate=1e-2),
)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Folders of moving hands, those for validation much farther away."""
    generator = np.random.default_rng(0)
    for split, clips, distance in (("train", 6, 0.3), ("val", 2, 30.0)):
        for part in ("features", "labels"):
            (tmp_path / "data" / split / part).mkdir(parents=True)
        for clip in range(clips):
            frames = generator.normal(0, 0.05, (24, 42, 7)).astype(np.float32)
            frames[..., 2] += distance
            frames[..., 6] = 1
            np.save(tmp_path / "data" / split / "features" / f"{clip}.npy", frames)
            np.save(tmp_path / "data" / split / "labels" / f"{clip}.npy", [1 + clip % 2])
    return Dataset.open(tmp_path / "data")


def run(dataset: Dataset, stages: tuple[StageConfig, ...] = STAGES) -> Path:
    out = dataset.path.parent / "run"
    config = TrainingConfig(averaging=0.9, workers=0, stages=stages)
    train(RunOptions(dataset, out, "cpu", progress=False), config, ModelConfig())
    return out


def test_the_recipe_changes_the_network(dataset: Dataset) -> None:
    out = dataset.path.parent / "run"
    changes = {"decoder": {"utterance_frames": 16, "alpha": 0.3}}
    config = TrainingConfig(workers=0, stages=STAGES[:1], network=changes)
    train(RunOptions(dataset, out, "cpu", progress=False), config, ModelConfig())
    expected = ModelConfig().changed(changes).with_vocabulary(2)
    assert read_metadata(out).config == expected
    model, _ = WhisperSignModel.load_checkpoint(out)
    assert model.decoder.utterance is not None
    assert "several glosses" not in (out / "train.log").read_text()


def test_what_the_recipe_changes_is_checked_with_the_rest_of_the_network(
    dataset: Dataset, tmp_path: Path
) -> None:
    """Twelve heads suit 96 channels and not the 128 of a network that names none."""
    where = RunOptions(dataset, tmp_path / "run", "cpu", progress=False)
    heads = TrainingConfig(
        workers=0, stages=STAGES[:1], network={"encoder": {"num_heads": 12, "num_layers": 1}}
    )
    with pytest.raises(ConfigError, match=r"network: .*d_model 128 does not divide"):
        train(where, heads, ModelConfig())
    assert not where.out.exists()
    train(where, heads, ModelConfig().changed({"frontend": {"d_model": 96}}))
    assert read_metadata(where.out).config.encoder.num_heads == 12


def test_sentences_for_a_network_of_single_signs_are_told_of(dataset: Dataset) -> None:
    np.save(dataset.path / "train/labels/0.npy", [1, 2])
    changes = {"decoder": {"utterance_frames": 16}}
    config = TrainingConfig(workers=0, stages=STAGES[:1], network=changes)
    out = dataset.path.parent / "run"
    train(RunOptions(Dataset.open(dataset.path), out, "cpu", progress=False), config, ModelConfig())
    assert "1 of 6 training clips hold several glosses" in (out / "train.log").read_text()


@pytest.mark.parametrize("sentence", [0.0, 1.0])
def test_a_network_that_spots_learns_from_sentences_what_is_no_sign(
    dataset: Dataset, sentence: float
) -> None:
    changes = {"decoder": {"utterance_frames": 16, "candidate_segments": [4, 8]}}
    varied = Augmentation(sentence=sentence, idle=1.0)
    config = TrainingConfig(workers=0, stages=STAGES, network=changes, augmentation=varied)
    out = dataset.path.parent / "run"
    train(RunOptions(dataset, out, "cpu", progress=False), config, ModelConfig())
    model, metadata = WhisperSignModel.load_checkpoint(out)
    assert metadata.config.decoder.candidate_segments == (4, 8)
    log = (out / "train.log").read_text()
    assert ("does not learn to reject movements without signs" in log) == (sentence == 0)
    assert "several glosses" not in log
    clip = torch.from_numpy(dataset.split("train")[0].features()[None].copy())
    assert model.decode(clip, torch.tensor([clip.shape[1]]))[0].complete_spans


def test_sentences_without_times_are_told_of_to_a_network_that_spots(dataset: Dataset) -> None:
    np.save(dataset.path / "train/labels/0.npy", [1, 2])
    changes = {"decoder": {"utterance_frames": 16, "candidate_segments": [4, 8]}}
    config = TrainingConfig(workers=0, stages=STAGES[:1], network=changes)
    out = dataset.path.parent / "run"
    train(RunOptions(Dataset.open(dataset.path), out, "cpu", progress=False), config, ModelConfig())
    log = (out / "train.log").read_text()
    assert "1 of 6 training clips do not say when their glosses are signed" in log


def test_scaling_is_fitted_on_what_is_trained_on_alone(dataset: Dataset) -> None:
    recipe = read_metadata(run(dataset, STAGES[:1])).recipe
    unfitted = recipe.changed(offset=None, scale=None)
    training = [example.features() for example in dataset.split("train")]
    assert recipe == fit_scaling(unfitted, training)


def test_a_stage_begins_with_the_averaged_weights_of_the_one_before(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins, ends, fit = [], [], lightning.Trainer.fit

    def copy(model: WhisperSignModel) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in model.state_dict().items()}

    def watch(self: lightning.Trainer, module: TrainingModule, *args: object, **named: object):
        begins.append(copy(module.model))
        fit(self, module, *args, **named)
        ends.append(copy(module.best_weights))

    monkeypatch.setattr(lightning.Trainer, "fit", watch)
    run(dataset)
    assert len(begins) == 2
    assert all(torch.equal(value, begins[1][name]) for name, value in ends[0].items())
    assert not all(torch.equal(value, begins[0][name]) for name, value in ends[0].items())


@pytest.mark.parametrize(
    ("rates", "kept"), [((0.2, 0.5, 0.3), 1), ((0.2, 0.5, 0.2), 3), ((0.9, 0.5, 0.6), 2)]
)
def test_the_best_epoch_of_all_stages_is_kept_the_latest_of_equals(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, rates: tuple[float, ...], kept: int
) -> None:
    found = iter(rates)

    def pretend(self: TrainingModule) -> None:
        self.means = {"loss": 3.0, "loss_ctc": 2.0, "loss_attention": 4.0}
        self.log("val_wer", next(found))
        self.log("val_accuracy", 0.5)

    monkeypatch.setattr(TrainingModule, "on_validation_epoch_end", pretend)
    metadata = read_metadata(run(dataset))
    assert metadata.epoch == kept
    assert metadata.metrics["val_wer"] == pytest.approx(rates[kept - 1])


def test_batches_are_put_together_into_steps_of_schedule_and_average(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    averages, fit, trainers = [], lightning.Trainer.fit, []
    average = TrainingModule.average

    def count(self: TrainingModule) -> None:
        averages.append(self.trainer.global_step)
        average(self)

    def watch(self: lightning.Trainer, *args: object, **named: object) -> None:
        trainers.append(self)
        fit(self, *args, **named)

    monkeypatch.setattr(TrainingModule, "average", count)
    monkeypatch.setattr(lightning.Trainer, "fit", watch)
    stage = StageConfig(name="x", epochs=3, learning_rate=1.0e-2, final_learning_rate=0.5)
    config = TrainingConfig(batch_size=2, accumulate=3, workers=0, stages=(stage,))
    train(
        RunOptions(dataset, dataset.path.parent / "run", "cpu", progress=False),
        config,
        ModelConfig(),
    )
    assert trainers[0].num_training_batches == 4
    assert trainers[0].global_step == len(averages) == 3 * 2, "the last step of one batch"
    assert trainers[0].optimizers[0].param_groups[0]["lr"] == pytest.approx(0.5e-2)


def test_half_the_bits_are_for_the_network_not_for_losses_and_weights(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, ctc_loss = set(), module.ctc_loss

    def watch(log_probs: torch.Tensor, *words: torch.Tensor) -> torch.Tensor:
        seen.add((torch.is_autocast_enabled("cpu"), log_probs.dtype))
        return ctc_loss(log_probs, *words)

    def encode(self: Encoder, *words: object) -> object:
        encoded = forward(self, *words)
        seen.add(encoded[0].dtype)
        return encoded

    forward = Encoder.forward
    monkeypatch.setattr(module, "ctc_loss", watch)
    monkeypatch.setattr(Encoder, "forward", encode)
    stage = StageConfig(name="x", epochs=1, learning_rate=1e-3)
    out = dataset.path.parent / "run"
    for precision, expected in ((32, torch.float32), ("bf16-mixed", torch.bfloat16)):
        seen.clear()
        config = TrainingConfig(precision=precision, workers=0, stages=(stage,))
        train(
            RunOptions(dataset, out / str(precision), "cpu", progress=False), config, ModelConfig()
        )
        assert (precision != 32, torch.float32) in seen
        assert {dtype for dtype in seen if isinstance(dtype, torch.dtype)} >= {expected}
        trained, _ = WhisperSignModel.load_checkpoint(out / str(precision))
        assert {value.dtype for value in trained.parameters()} == {torch.float32}


def test_what_learns_through_a_head_of_its_own_is_never_kept(tmp_path: Path) -> None:
    model = WhisperSignModel(ModelConfig().with_vocabulary(len(GLOSSES)))
    metadata = CheckpointMetadata(config=model.config, glosses=GLOSSES, recipe=Recipe())
    metrics = {"val_wer": torch.tensor(0.5), "val_accuracy": torch.tensor(0.0)}
    for auxiliary in (True, False):
        stage = StageConfig(name="x", epochs=1, learning_rate=1e-3, auxiliary=auxiliary)
        module = TrainingModule(model, stage, TrainingConfig(stages=(stage,)), GLOSSES)
        keep = KeepBest(tmp_path / "run", metadata, 0)
        trainer = SimpleNamespace(
            callback_metrics=metrics, sanity_checking=False, current_epoch=0, is_global_zero=True
        )
        keep.on_validation_end(trainer, module)
        assert (tmp_path / "run").exists() != auxiliary


def test_training_starts_from_a_network_with_other_glosses(
    dataset: Dataset, tmp_path: Path
) -> None:
    theirs = ("zero", dataset.glosses[1])
    trained = WhisperSignModel(ModelConfig().with_vocabulary(len(theirs)))
    recipe = dataset.recipe.changed(location="entry")
    about = CheckpointMetadata(config=trained.config, glosses=theirs, recipe=recipe)
    trained.save_checkpoint(tmp_path / "old", about)
    model, found = initial_model(tmp_path / "old", dataset)
    assert found == recipe
    assert model.config.decoder.vocab_size == len(dataset.glosses) + 1
    ours, given = model.state_dict(), trained.state_dict()
    for name, value in given.items():
        if value.shape[:1] != (3,):
            assert torch.equal(ours[name], value), name
    for name in ("ctc.project.weight", "decoder.embedding.weight", "decoder.project.weight"):
        assert torch.equal(ours[name][[0, 2]], given[name][[0, 2]])
        assert not torch.equal(ours[name][1], given[name][1])


def test_network_of_another_recipe_is_no_start(dataset: Dataset, tmp_path: Path) -> None:
    trained = WhisperSignModel(ModelConfig().with_vocabulary(1))
    recipe = dataset.recipe.changed(rate=30.0)
    about = CheckpointMetadata(config=trained.config, glosses=("a",), recipe=recipe)
    trained.save_checkpoint(tmp_path / "old", about)
    with pytest.raises(RecipeError, match="rate"):
        initial_model(tmp_path / "old", dataset)
