# SPDX-License-Identifier: MIT
"""What networks begin from: none of it has seen the recordings that test."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch

from whispersign_model.crossval.protocol import CrossvalRun, chosen_folds
from whispersign_model.crossval.settings import Folds, Protocol
from whispersign_model.datasets.archive import read_archive
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.skeleton import FEATURES, JOINTS
from whispersign_model.training.config import StageConfig, TrainingConfig
from whispersign_model.training_data.batch import Batch
from whispersign_model.training_data.loader import NO_SEGMENTS

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def pretraining(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    module = importlib.import_module("pretraining")
    monkeypatch.setattr(module, "EPOCHS", 1)
    return module


@pytest.fixture
def plan(tmp_path, write_archive):
    """A protocol of 12 recordings, the first signer's of which test, beside another archive."""
    signers = ["s0"] * 4 + ["s1"] * 4 + ["s2"] * 4
    write_archive(tmp_path / "own.npz", ["A", "B"] * 6, signers)
    write_archive(tmp_path / "other.npz", ["A", "C"] * 6, signers)
    stages = (
        StageConfig(name="frontend", epochs=1, learning_rate=1e-3, alpha=1.0, auxiliary=True),
        StageConfig(name="joint", epochs=1, learning_rate=1e-3, chunks=(0, 2)),
    )
    return CrossvalRun(
        protocol=Protocol(title="Mine", archive="own.npz", folds=Folds(signers=1), val_every=4),
        archive=tmp_path / "own.npz",
        out=tmp_path / "out",
        folds=(1,),
        seed=0,
        recipe=TrainingConfig(
            stages=stages, workers=0, network={"decoder": {"utterance_frames": 32}}
        ),
        network=ModelConfig(),
        device="cpu",
        progress=False,
    )


@pytest.fixture
def own(plan):
    return read_archive(plan.archive)


@pytest.fixture
def policy(plan, own):
    return chosen_folds(plan, own)[0][1]


def test_what_tests_is_left_out_and_glosses_of_others_are_told_apart(
    pretraining, plan, own, policy
):
    found = pretraining.recordings_of_all(plan, own, policy)
    assert {each.name for each in found if each.source == "own"} == {
        each.name for each in own if each.signer != "s0"
    }
    others = [each for each in found if each.source == "other"]
    assert len(others) == 12
    assert {each.split for each in others} == {"train"}
    assert {gloss for each in others for gloss in each.glosses} == {"other A", "other C"}
    assert {each.split for each in found if each.source == "own"} == {"train", "val"}


@pytest.mark.parametrize("kind", ["other sets", "without labels"])
def test_a_network_can_begin_from_it_and_it_is_made_once(
    pretraining, plan, own, policy, kind, tmp_path
):
    folder = pretraining.beginning(plan, own, policy, kind, tmp_path / "start")
    model, metadata = WhisperSignModel.load_checkpoint(folder)
    assert set(metadata.glosses) == {"A", "B", "other A", "other C"}
    assert all(weights.isfinite().all() for weights in model.state_dict().values())
    torch.manual_seed(0)
    other = WhisperSignModel(metadata.config).frontend.patches.parts[0].weight
    assert not torch.equal(model.frontend.patches.parts[0].weight, other)
    made = (folder / "model.json").stat().st_mtime_ns
    assert pretraining.beginning(plan, own, policy, kind, tmp_path / "start") == folder
    assert (folder / "model.json").stat().st_mtime_ns == made


@pytest.fixture
def restoration(pretraining):
    torch.manual_seed(0)
    config = ModelConfig().changed({"decoder": {"utterance_frames": 32}}).with_vocabulary(3)
    module = pretraining.Restoration(WhisperSignModel(config), 1e-3, 0.0, (0,))
    module.log = lambda *words, **more: None
    return module


def _batch():
    features = torch.randn(2, 60, JOINTS, FEATURES)
    features[..., 6] = 1
    lengths, none = torch.tensor([60, 45]), torch.zeros(2, 1, dtype=torch.long)
    return Batch(features, lengths, none, none[:, 0], ("a", "b"), torch.from_numpy(NO_SEGMENTS))


def test_whole_patches_are_hidden_between_the_first_and_the_last_with_a_hand(restoration):
    seen = torch.zeros(50, 400, dtype=torch.bool)
    seen[:, 9:391] = True
    hidden = restoration.hidden(seen)
    assert not hidden[:, :12].any()
    assert not hidden[:, 388:].any()
    assert hidden[:, 12].any()
    assert hidden[:, 387].any()
    by_patch = hidden.unflatten(1, (-1, 4))
    assert torch.equal(by_patch.all(dim=-1), by_patch.any(dim=-1))
    assert 0.3 < hidden[:, 12:388].float().mean() < 0.5


def test_only_what_is_hidden_is_asked_for(restoration):
    torch.manual_seed(0)
    batch = _batch()
    some = restoration.training_step(batch, 0)
    assert some > 0
    restoration.hidden = torch.zeros_like
    assert restoration.training_step(batch, 0) == 0


def test_all_that_reads_skeletons_learns(restoration):
    torch.manual_seed(0)
    restoration.training_step(_batch(), 0).backward()
    model = restoration.model
    for part in (model.frontend, model.encoder, model.decoder.utterance):
        assert all(weights.grad is not None for weights in part.parameters())
        assert any(weights.grad.any() for weights in part.parameters())
    assert all(weights.grad is None for weights in model.ctc.parameters())
