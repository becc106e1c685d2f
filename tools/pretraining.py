# SPDX-License-Identifier: MIT
"""Pretrain a network on signs of other datasets or on unlabeled recordings.

tools/ablation.py uses this. Both methods read all archives in a folder except test recordings.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from whispersign_model.crossval.protocol import CrossvalRun, apply_splits, make_dataset
from whispersign_model.datasets.archive import read_archive
from whispersign_model.datasets.dataset import Dataset
from whispersign_model.datasets.splits import TEST, TRAIN, SplitPolicy
from whispersign_model.features.normalisation import fit_scaling
from whispersign_model.network.checkpoint import CheckpointMetadata
from whispersign_model.network.frontend import whole_patches
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.network.utterance import centred, frames_seen, resample_segments, whole
from whispersign_model.recordings.recording import Recording, Segment
from whispersign_model.skeleton import CONFIDENCE, JOINTS, POSITION
from whispersign_model.training.config import StageConfig
from whispersign_model.training.stage_trainer import quiet_libraries
from whispersign_model.training.trainer import train
from whispersign_model.training.training_run import RunOptions
from whispersign_model.training_data.batch import Batch
from whispersign_model.training_data.loader import Clips, loader, training_splits

EPOCHS = 20
HIDDEN = 0.5  # share of a clip that is masked
SPAN = 6  # consecutive patches that are masked together, 0.4 s
TOKEN = 8  # frames covered by one utterance token
COORDINATES = JOINTS * (POSITION.stop - POSITION.start)


def recordings_of_all(
    plan: CrossvalRun, own: Sequence[Recording], policy: SplitPolicy
) -> list[Recording]:
    """Return a protocol's recordings without the test set, plus all recordings of other archives.

    Recordings of other archives all belong to the training set, and their glosses start with the
    archive's name. Units may differ, because the network reads positions in hand lengths.
    """
    found = [each for each in apply_splits(own, policy) if each.split != TEST]
    for archive in sorted(plan.archive.parent.glob("*.npz")):
        if archive.name != plan.archive.name:
            others = (_of_another(each, archive.stem) for each in read_archive(archive))
            found += [replace(each, coordinates=own[0].coordinates) for each in others]
    return found


def _of_another(recording: Recording, archive: str) -> Recording:
    segments = tuple(
        Segment(tuple(f"{archive} {gloss}" for gloss in each.glosses), each.start, each.end)
        for each in recording.segments
    )
    return replace(
        recording,
        name=f"{archive}_{recording.name}",
        signer=f"{archive}_{recording.signer}",
        segments=segments,
        split=TRAIN,
    )


def _dataset(plan: CrossvalRun, recordings: Sequence[Recording], folder: Path) -> Dataset:
    return make_dataset(folder.with_suffix(".data"), recordings, SplitPolicy(), plan.protocol)


def other_sets(plan: CrossvalRun, recordings: Sequence[Recording], folder: Path) -> None:
    """Train a network on the isolated signs of all datasets, with a joint vocabulary."""
    data = _dataset(plan, [each for each in recordings if len(each.glosses) == 1], folder)
    warm_up = [stage for stage in plan.recipe.stages if stage.auxiliary]
    stages = (*warm_up, _joint(plan).model_copy(update={"epochs": EPOCHS}))
    recipe = plan.recipe.model_copy(update={"stages": stages})
    train(RunOptions(data, folder, plan.device, progress=plan.progress), recipe, plan.network)


def without_labels(plan: CrossvalRun, recordings: Sequence[Recording], folder: Path) -> None:
    """Train a network to predict the positions of masked joints, without labels."""
    data = _dataset(plan, recordings, folder)
    quiet_libraries()
    lightning.seed_everything(plan.seed, verbose=False)
    config = plan.network.changed(plan.recipe.network).with_vocabulary(len(data.glosses))
    training, _, _ = training_splits(data)
    recipe = data.recipe.changed(**plan.recipe.features.model_dump())
    recipe = fit_scaling(recipe, (example.features() for example in training))
    model = WhisperSignModel(config)
    clips = Clips(training, recipe, config.frontend.patch_size, plan.seed, plan.recipe.augmentation)
    stage = _joint(plan)
    trainer = lightning.Trainer(
        accelerator="cpu" if plan.device == "cpu" else "auto",
        devices=1,
        max_epochs=EPOCHS,
        gradient_clip_val=plan.recipe.gradient_clip,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=plan.progress,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    batches = loader(clips, 2 * plan.recipe.batch_size, plan.recipe.workers, plan.seed)
    trainer.fit(
        Restoration(model, stage.learning_rate, plan.recipe.weight_decay, stage.chunks), batches
    )
    metadata = CheckpointMetadata(config=config, glosses=data.glosses, recipe=recipe)
    model.save_checkpoint(folder, metadata)


def _joint(plan: CrossvalRun) -> StageConfig:
    return next(stage for stage in plan.recipe.stages if not stage.auxiliary)


class Restoration(lightning.LightningModule):
    """Predicts masked joints from the rest of a clip.

    Masked prediction is common for text (Devlin et al. 2019, arXiv:1810.04805) and was applied to
    hands by Hu et al. (2021, arXiv:2110.05382). Segments of both hands are masked. Frontend and
    encoder predict the joint positions of every patch. The utterance convolutions predict those of
    every token.
    """

    def __init__(
        self, model: WhisperSignModel, learning_rate: float, decay: float, chunks: Sequence[int]
    ) -> None:
        super().__init__()
        self.model = model
        self.learning_rate, self.decay, self.chunks = learning_rate, decay, chunks
        self.patch = model.config.frontend.patch_size
        channels = model.config.frontend.d_model
        self.of_patch = nn.Linear(channels, self.patch * COORDINATES)
        self.of_token = nn.Linear(channels, TOKEN * COORDINATES)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Return the mean squared error over tracked joints in masked frames."""
        features, lengths = batch.features, batch.lengths
        segments = whole(lengths)
        hidden = self.hidden(frames_seen(features, segments))
        left = features * ~hidden[..., None, None]
        chunk = self.chunks[int(torch.randint(len(self.chunks), ()))]
        encoded = self.model(left, lengths, chunk)
        patches = whole_patches(features, lengths, self.patch)
        asked = whole_patches(hidden[..., None].to(features), lengths, self.patch)
        asked = asked.unsqueeze(-1) * (patches[..., CONFIDENCE, None] > 0)
        loss = _error(self.of_patch(encoded.states), patches[..., POSITION], asked)
        utterance = self.model.decoder.utterance
        if utterance is not None:
            places, tracked = resample_segments(features, segments, utterance.frames)
            _, still = resample_segments(left, segments, utterance.frames)
            tokens = self.of_token(utterance(left, segments))
            loss = loss + _error(tokens, centred(places, tracked), tracked * (1 - still))
        self.log("loss", loss, prog_bar=True)
        return loss

    def hidden(self, seen: Tensor) -> Tensor:
        """Return a random mask ``(B, T)``, which leaves the first and last patch with hands.

        Args:
            seen: ``(B, T)``, whether a frame has a hand.
        """
        frames = seen.shape[1]
        steps = -(-frames // self.patch)
        starts = torch.rand(len(seen), steps, device=seen.device) < HIDDEN / SPAN
        spans = functional.max_pool1d(functional.pad(starts.float(), (SPAN - 1, 0)), SPAN, 1)
        patch = torch.arange(frames, device=seen.device) // self.patch
        first = torch.where(seen, patch, steps).amin(dim=1, keepdim=True)
        last = torch.where(seen, patch, -1).amax(dim=1, keepdim=True)
        return (spans[:, patch] > 0) & (patch > first) & (patch < last)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW with a one-cycle learning rate."""
        optimizer = AdamW(self.parameters(), self.learning_rate, weight_decay=self.decay)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = OneCycleLR(optimizer, self.learning_rate, steps, pct_start=0.1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _error(said: Tensor, places: Tensor, asked: Tensor) -> Tensor:
    """Return the mean squared error over the joints where ``asked (..., 1)`` is 1."""
    squares = (said.reshape(places.shape) - places).square() * asked
    return squares.sum() / (asked.sum() * places.shape[-1]).clamp(min=1)


BEGINNINGS = {"other sets": other_sets, "without labels": without_labels}


def beginning(
    plan: CrossvalRun, own: Sequence[Recording], policy: SplitPolicy, kind: str, folder: Path
) -> Path:
    """Return the checkpoint to start from; train it if it does not exist."""
    if not (folder / "model.json").exists():
        BEGINNINGS[kind](plan, recordings_of_all(plan, own, policy), folder)
    return folder
