"""Training: the schedule, the order of clips, variations, and a network that learns from files."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from whispersign_model.cli.main import main
from whispersign_model.features.recipe import Recipe
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.recordings.dataset import Dataset
from whispersign_model.training.augmentation import Augmentation, mirrored, read_at
from whispersign_model.training.config import StageConfig
from whispersign_model.training.data import (
    BucketSampler,
    Clips,
    Index,
    collate,
    suitable_batch_size,
    tracked_span,
    training_splits,
)
from whispersign_model.training.losses import attention_loss, ctc_loss, hybrid_loss
from whispersign_model.training.metrics import GlossErrors
from whispersign_model.training.module import warm_up_cosine

STILL = Augmentation(**dict.fromkeys(Augmentation.model_fields, 0) | {"mask_length": 0.1})
RECIPE = """
size: tiny
batch_size: 8
workers: 0
averaging: 0.9
augmentation: {crop: 0, rotation: 1, shift: 0, hand_shift: 0, stretch: 0, speed: 0.1, warp: 0,
  finger_mask: 0, frame_mask: 0}
stages:
  - {name: frontend, epochs: 1, rate: 1.0e-3, alpha: 1.0, train: [frontend], auxiliary: true}
  - {name: joint, epochs: 40, rate: 1.0e-3, alpha: 0.5}
  - {name: realtime, epochs: 2, rate: 1.0e-4, alpha: 0.3, chunks: [0, 4]}
"""


def movement(gloss: int, seed: int, frames: int = 40) -> np.ndarray:
    """A right hand in metres whose direction of movement and stretched finger are the gloss."""
    generator = np.random.default_rng(seed)
    hand = np.random.default_rng(0).normal(0, 0.04, (21, 3))
    hand[4 * gloss + 1 : 4 * gloss + 5, 1] += 0.08
    direction = np.array([[0.3, 0, 0], [-0.3, 0, 0], [0, 0.3, 0]])[gloss - 1]
    phase = 1 / (1 + np.exp(-np.linspace(-12, 12, frames)))  # at rest, one quick stroke, at rest
    path = phase[:, None] * direction + generator.normal(0, 0.01, 3)
    clip = np.zeros((frames, 42, 7), np.float32)
    clip[:, 21:, :3] = hand + path[:, None] + generator.normal(0, 0.001, (frames, 21, 3))
    clip[1:, 21:, 3:6] = np.diff(clip[:, 21:, :3], axis=0) * 60
    clip[:, 21:, 6] = 1
    return clip


@pytest.fixture
def dataset(tmp_path):
    """Folders of features and labels alone, three glosses."""
    folder = tmp_path / "data"
    for split, takes in (("train", 8), ("val", 2), ("test", 2)):
        for part in ("features", "labels"):
            (folder / split / part).mkdir(parents=True)
        for take in range(takes):
            for gloss in (1, 2, 3):
                name = f"{gloss}-{take}.npy"
                seed = take + 100 * len(split)
                np.save(folder / split / "features" / name, movement(gloss, seed, 36 + take))
                np.save(folder / split / "labels" / name, np.array([gloss]))
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return folder


def train(dataset, out, *options):
    recipe = dataset.parent / "recipe.yaml"
    words = ["train", "--config", recipe, "--data", dataset, "--out", out, "--quiet", *options]
    return main([str(word) for word in words])


def test_a_dataset_becomes_a_network_that_recognises_it(dataset, tmp_path, capsys):
    assert train(dataset, tmp_path / "run") == 0
    assert read_metadata(tmp_path / "run").metrics["val_accuracy"] == 1.0
    figures = tmp_path / "figures.json"
    for options in ([], ["--streaming"], ["--method", "greedy"]):
        words = ["evaluate", tmp_path / "run", "--data", dataset, "--json", figures, *options]
        assert main([str(word) for word in words]) == 0
        found = json.loads(figures.read_text())
        assert found["accuracy"] == 1.0, options
        assert found["wer"] == found["substitutions"] == found["insertions"] == 0
        assert found["sequences"] == 6
    assert "exact 1.000" in capsys.readouterr().out


def test_stopped_training_goes_on_as_if_it_had_not_stopped(dataset, tmp_path):
    from whispersign_model.training import module

    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("epochs: 40", "epochs: 8"))
    assert train(dataset, tmp_path / "whole") == 0
    steps = module.TrainingModule.on_train_batch_end

    def interrupt(self, outputs, batch, batch_idx):
        steps(self, outputs, batch, batch_idx)
        if self.stage.name == "joint" and self.current_epoch == 5:
            raise RuntimeError("power cut")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.TrainingModule, "on_train_batch_end", interrupt)
        with pytest.raises(RuntimeError, match="power cut"):
            train(dataset, tmp_path / "cut")
    assert train(dataset, tmp_path / "cut", "--resume", tmp_path / "cut/last.ckpt") == 0
    whole, cut = (read_metadata(tmp_path / name) for name in ("whole", "cut"))
    assert whole.losses == cut.losses
    assert whole.weights_sha256 == cut.weights_sha256


def test_interrupted_training_says_how_to_go_on(dataset, tmp_path, capsys, monkeypatch):
    from whispersign_model.training import module

    def interrupt(self):
        if self.stage.name == "joint" and self.current_epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(module.TrainingModule, "on_train_epoch_end", interrupt, raising=False)
    assert train(dataset, tmp_path / "run") == 130
    told = capsys.readouterr()
    assert f"--resume {tmp_path / 'run/last.ckpt'}" in told.out
    assert told.err.splitlines()[-1] == "whispersign: interrupted"


def test_every_epoch_of_a_training_varies_anew(dataset, tmp_path, monkeypatch):
    seen = []
    make = Clips.__getitem__

    def watch(self, index):
        if self.augmentation is not None:
            seen.append(index)
        return make(self, index)

    monkeypatch.setattr(Clips, "__getitem__", watch)
    assert train(dataset, tmp_path / "run", "--stage", "3") == 0
    assert {index.epoch for index in seen} == {0, 1}
    assert len(set(seen)) == len(seen) == 2 * 24


def test_data_that_cannot_be_trained_on_is_refused_before_the_first_step(dataset, tmp_path, capsys):
    np.save(dataset / "train/labels/1-0.npy", np.array([1] * 12))
    assert train(dataset, tmp_path / "run") == 2
    message = capsys.readouterr().err
    assert "1-0.npy" in message
    assert "too few for 12 glosses" in message
    assert message.count("\n") == 1
    np.save(dataset / "train/labels/1-0.npy", np.array([1]))
    shutil.rmtree(dataset / "train")
    assert train(dataset, tmp_path / "run") == 2
    assert "train" in capsys.readouterr().err


def test_recordings_are_held_out_where_there_is_no_validation_split(dataset):
    assert training_splits(Dataset.open(dataset))[2] == ""
    shutil.rmtree(dataset / "val")
    training, validation, note = training_splits(Dataset.open(dataset))
    assert "every 8th recording" in note
    assert (len(training), len(validation)) == (21, 3)
    assert not {example.name for example in training} & {example.name for example in validation}
    signed = [replace(example, signer=example.name[-1]) for example in training]
    by_signer = Dataset(dataset, ("a", "b", "c"), "", Recipe(), {"train": tuple(signed)})
    training, validation, note = training_splits(by_signer)
    assert {example.signer for example in validation} == {"1"}
    assert "1" not in {example.signer for example in training}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("surprise: 1", "surprise"),
        ("batch_size: 0", "batch_size"),
        ("augmentation: {rotation: -1}", "rotation"),
        ("stages: []", "stages"),
        ("{", "YAML"),
    ],
)
def test_faulty_recipe_names_the_key(dataset, tmp_path, capsys, change, says):
    recipe = dataset.parent / "recipe.yaml"
    recipe.write_text(change if change in ("{", "stages: []") else RECIPE + change)
    assert train(dataset, tmp_path / "run") == 2
    assert says in capsys.readouterr().err


def test_recipes_of_the_project_are_valid_and_complete():
    from whispersign_model.configuration import config_file, load_yaml
    from whispersign_model.training.config import TrainingConfig

    config = load_yaml(TrainingConfig, config_file("train.yaml"))
    assert [stage.name for stage in config.stages] == ["frontend", "joint", "realtime"]


def test_hybrid_loss_is_the_weighted_sum():
    ctc, attention = torch.tensor(2.0), torch.tensor(5.0)
    assert hybrid_loss(ctc, attention, 0.3).total.item() == pytest.approx(0.3 * 2 + 0.7 * 5)
    assert hybrid_loss(ctc, torch.tensor(float("nan")), 1.0).total.item() == 2.0


def test_losses_count_what_exists_only():
    log_probs = torch.randn(2, 6, 4).log_softmax(-1)
    targets, lengths = torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1])
    steps = torch.tensor([6, 3])
    loss = ctc_loss(log_probs, steps, targets, lengths)
    alone = [
        ctc_loss(
            log_probs[i : i + 1, : steps[i]],
            steps[i : i + 1],
            targets[i : i + 1],
            lengths[i : i + 1],
        )
        for i in range(2)
    ]
    assert loss.item() == pytest.approx(sum(part.item() for part in alone) / 2, rel=1e-5)
    predicted = torch.randn(2, 3, 4).log_softmax(-1)
    expected = predicted[0, 0, 1] + predicted[0, 1, 2] + predicted[0, 2, 0]
    expected = expected + predicted[1, 0, 3] + predicted[1, 1, 0]
    assert attention_loss(predicted, targets, lengths, 0.0).item() == pytest.approx(
        -expected.item() / 5
    )


def test_rate_rises_linearly_and_falls_as_a_cosine():
    stage = StageConfig(name="x", epochs=1, rate=1.0, warm_up=0.1, final_rate=0.1)
    rates = [warm_up_cosine(step, 100, stage) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[55] == pytest.approx(0.55)
    assert rates[100] == pytest.approx(0.1)


def test_batches_hold_every_clip_once_in_an_order_of_the_epoch():
    lengths = list(np.random.default_rng(0).integers(20, 200, 50))
    sampler = BucketSampler(lengths, 8, seed=3)
    epochs = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))
    assert epochs[0] == epochs[2] != epochs[1]
    assert len(epochs[0]) == len(sampler) == 7
    assert sorted(index.example for batch in epochs[0] for index in batch) == list(range(50))
    padded = sum(len(batch) * max(lengths[i.example] for i in batch) for batch in epochs[0])
    assert 1 - sum(lengths) / padded < 0.2


@pytest.mark.parametrize(("clips", "size"), [(1000, 32), (512, 32), (128, 8), (24, 4), (3, 4)])
def test_small_sets_are_trained_in_smaller_batches(clips, size):
    assert suitable_batch_size(clips, 32) == size


def test_clips_vary_by_epoch_and_example_and_never_with_padding(dataset):
    examples = Dataset.open(dataset).split("train")
    clips = Clips(examples, Recipe(), 4, seed=0, augmentation=Augmentation())
    first, again, later = clips[Index(0, 1)], clips[Index(0, 1)], clips[Index(1, 1)]
    assert np.array_equal(first[0], again[0])
    assert first[0].shape != later[0].shape or not np.array_equal(first[0], later[0])
    batch = collate([clips[Index(0, i)] for i in range(4)])
    for row, length in zip(batch.features, batch.lengths):
        assert not row[int(length) :].any()
        assert row[: int(length)].any()


def test_still_augmentation_changes_nothing():
    clip = movement(1, 0)
    positions, confidence = STILL(clip[..., :3], clip[..., 6], 60.0, np.random.default_rng(0))
    np.testing.assert_allclose(positions, clip[..., :3], atol=1e-6)
    assert np.array_equal(confidence, clip[..., 6])


@pytest.mark.parametrize(
    "options",
    [
        {"rotation": 20},
        {"scale": 0.3},
        {"stretch": 0.3},
        {"shift": 0.5},
        {"hand_shift": 0.5},
        {"speed": 0.5},
        {"warp": 0.3},
        {"crop": 0.3},
        {"noise": 0.1},
        {"finger_mask": 1},
        {"frame_mask": 1, "mask_length": 2},
        {"mirror": 1},
    ],
)
def test_every_augmentation_does_something_and_leaves_the_absent_hand_absent(options):
    clip = movement(1, 0)
    augmentation = STILL.model_copy(update=options)
    positions, confidence = augmentation(
        clip[..., :3], clip[..., 6], 60.0, np.random.default_rng(4)
    )
    same = positions.shape == clip[..., :3].shape and np.allclose(
        positions, clip[..., :3], atol=1e-4
    )
    assert not same
    absent = slice(21, 42) if "mirror" in options else slice(0, 21)
    assert not positions[:, absent].any()
    assert not confidence[:, absent].any()
    assert np.isfinite(positions).all()


def test_the_rarer_hand_is_dropped():
    clip = movement(1, 0)
    clip[:10, :21] = clip[:10, 21:]
    dropping = STILL.model_copy(update={"hand_drop": 1.0})
    _, confidence = dropping(clip[..., :3], clip[..., 6], 60.0, np.random.default_rng(0))
    assert not confidence[:, :21].any()
    assert confidence[:, 21:].all()


def test_rotation_keeps_bones():
    clip = movement(2, 1)
    turning = STILL.model_copy(update={"rotation": 30})
    positions, _ = turning(clip[..., :3], clip[..., 6], 60.0, np.random.default_rng(0))

    def bones(p):
        return np.linalg.norm(p[:, 30] - p[:, 21], axis=-1)

    np.testing.assert_allclose(bones(positions), bones(clip[..., :3]), rtol=1e-4)


def test_mirroring_twice_is_the_same():
    clip = movement(3, 2)
    once = mirrored(clip[..., :3], clip[..., 6])
    assert once[1][:, :21].all()
    np.testing.assert_array_equal(once[0][:, :21, 0], -clip[:, 21:, 0])
    np.testing.assert_array_equal(mirrored(*once)[0], clip[..., :3])


def test_reading_between_frames_never_mixes_in_an_untracked_joint():
    positions = np.zeros((3, 42, 3), np.float32)
    confidence = np.zeros((3, 42), np.float32)
    positions[0], confidence[0] = 1, 1
    positions[2], confidence[2] = 3, 1
    read, sure = read_at(positions, confidence, np.array([0.0, 0.4, 0.6, 1.6, 2.0]))
    assert read[:, 0, 0].tolist() == [1, 1, 0, 3, 3]
    assert sure[:, 0].tolist() == [1, 1, 0, 1, 1]


def test_utterance_extends_from_first_to_last_tracked_frame():
    frames = np.zeros((10, 42, 7), np.float32)
    assert tracked_span(frames) == slice(0, 10)
    frames[3, 5, 6] = frames[7, 30, 6] = 1
    assert tracked_span(frames) == slice(3, 8)


def test_error_counts():
    errors = GlossErrors()
    errors.add(["A", "B", "C"], ["A", "X", "C", "D"])
    errors.add(["A"], ["A"])
    errors.add(["B"], [])
    assert (errors.substitutions, errors.deletions, errors.insertions) == (1, 1, 1)
    assert errors.wer == pytest.approx(3 / 5)
    assert errors.accuracy == pytest.approx(1 / 3)
    figures = errors.report()
    assert figures["confusions"] == [{"signed": "B", "recognized": "X", "count": 1}]
    assert figures["per_gloss"]["C"] == {"count": 1, "precision": 1.0, "recall": 1.0}
    assert np.isnan(GlossErrors().wer)


def test_unknown_stage_is_refused(dataset, tmp_path):
    assert train(dataset, tmp_path / "run", "--stage", "7") == 2
