"""The trainer: fits the recipe, runs the stages, keeps the best network, goes on after a stop."""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    LearningRateMonitor,
    ModelCheckpoint,
    RichProgressBar,
)
from lightning.pytorch.loggers import TensorBoardLogger

from whispersign_model.errors import CheckpointError, ConfigError
from whispersign_model.features.normalisation import fit_scaling
from whispersign_model.features.recipe import Recipe, require_same
from whispersign_model.network.checkpoint import CheckpointMetadata, read_metadata
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.recordings.atomic import replace_file
from whispersign_model.recordings.dataset import Dataset
from whispersign_model.training.config import StageConfig, TrainingConfig
from whispersign_model.training.data import Clips, loader, suitable_batch_size, training_splits
from whispersign_model.training.module import TrainingModule

RESUME = "last.ckpt"
PER_GLOSS = ("ctc.", "decoder.embedding.", "decoder.project.")  # weights with a row a gloss


@dataclass(frozen=True)
class Run:
    """Where and on what a training runs.

    Attributes:
        data: the processed dataset.
        out: the run's folder; it becomes a checkpoint itself.
        device: auto, cpu or cuda.
        progress: show a progress bar.
    """

    data: Dataset
    out: Path
    device: str = "auto"
    progress: bool = True


class KeepBest(Callback):
    """Writes the network into the run's folder when validation is at least as good as before."""

    def __init__(self, out: Path, metadata: CheckpointMetadata, epochs_before: int) -> None:
        self.out = out
        self.metadata = metadata
        self.epochs_before = epochs_before
        self.best_wer = float("inf")

    def on_validation_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Compare and save."""
        assert isinstance(module, TrainingModule)
        wer = float(trainer.callback_metrics["val_wer"])
        if trainer.sanity_checking or module.stage.auxiliary or wer > self.best_wer:
            return
        self.best_wer = wer
        losses = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("loss")}
        metadata = self.metadata.model_copy(
            update={
                "epoch": self.epochs_before + trainer.current_epoch + 1,
                "losses": losses,
                "metrics": {
                    "val_wer": wer,
                    "val_accuracy": float(trainer.callback_metrics["val_accuracy"]),
                },
            }
        )
        module.best_weights.save_checkpoint(self.out, metadata)

    def state_dict(self) -> dict[str, Any]:
        """What an exact resume needs."""
        return {"best_wer": self.best_wer}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up after a stop."""
        self.best_wer = state["best_wer"]


def train(
    run: Run,
    config: TrainingConfig,
    model_config: ModelConfig,
    only_stage: int | None = None,
    resume: Path | None = None,
    init: Path | None = None,
) -> dict[str, Any]:
    """Train through the stages.

    Args:
        run: data and folder.
        config: the training recipe.
        model_config: shape of the network; its vocabulary is set to the dataset's.
        only_stage: from 1; the others are left out.
        resume: a run's ``last.ckpt``: go on exactly where it stopped.
        init: a checkpoint to start from, whatever its vocabulary; it says the shape of the network
            and how features are normalised.

    Returns:
        the metrics of the best network, also in ``out/metrics.json``.

    Raises:
        WhisperSignError: for data or options that cannot be trained on, before the first step.
        KeyboardInterrupt: after Ctrl-C, once ``last.ckpt`` of the last whole epoch is there.
    """
    quiet_libraries()
    lightning.seed_everything(config.seed, verbose=False)
    stages = list(enumerate(config.stages, start=1))
    if only_stage is not None and not 1 <= only_stage <= len(stages):
        raise ConfigError("--stage", f"{only_stage} is not one of 1 to {len(stages)}")
    glosses = run.data.glosses
    training, validation, note = training_splits(run.data)
    if note:
        print(note)
    if init is not None:
        model, recipe = initial_model(init, run.data)
    else:
        model = WhisperSignModel(model_config.with_vocabulary(len(glosses)))
        recipe = run.data.recipe.changed(**config.features.model_dump())
        recipe = fit_scaling(recipe, (example.features() for example in training))
    going_on = None if resume is None else read_resume(resume)
    metadata = CheckpointMetadata(
        name=run.out.name or "whispersign",
        config=model.config,
        glosses=glosses,
        language=run.data.language,
        recipe=recipe,
    )
    patch = model.config.frontend.patch_size
    clips = Clips(training, recipe, patch, config.seed, config.augmentation, glosses)
    fixed = Clips(validation, recipe, patch, config.seed)
    best = float("inf")
    epochs_before = 0
    for number, stage in stages:
        left_out = only_stage not in (None, number) or stage.epochs == 0
        if left_out or (going_on is not None and number < going_on["stage"]):
            epochs_before += 0 if left_out else stage.epochs
            continue
        keep = KeepBest(run.out, metadata, epochs_before)
        keep.best_wer = best
        module = TrainingModule(model, stage, config, glosses)
        trainer = stage_trainer(run, config, stage, number, keep)
        batch_size = suitable_batch_size(len(training), config.batch_size)
        varied = clips.varied(config.stage_augmentation(stage), config.seed)
        try:
            trainer.fit(
                module,
                loader(varied, batch_size, config.workers, config.seed + number),
                loader(fixed, config.batch_size, config.workers, None),
                ckpt_path=str(resume) if going_on and number == going_on["stage"] else None,
                weights_only=True,
            )
        except SystemExit:  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt from None
        best = keep.best_wer
        if config.averaging:
            model.load_state_dict(module.best_weights.state_dict())
        epochs_before += stage.epochs
    return write_metrics(run.out)


def initial_model(path: Path, data: Dataset) -> tuple[WhisperSignModel, Recipe]:
    """Load a network to go on from, with the dataset's vocabulary, and its preprocessing recipe.

    What belongs to a gloss (rows of the CTC head and of the attention decoder's embedding and
    output) is kept for the glosses that both know, and new for the others.

    Raises:
        CheckpointError: when it cannot be read.
        RecipeError: when the dataset was converted by another recipe.
    """
    trained, metadata = WhisperSignModel.load_checkpoint(path)
    require_same(str(data.path), metadata.recipe.sensor_half(), data.recipe.sensor_half())
    model = WhisperSignModel(metadata.config.with_vocabulary(len(data.glosses)))
    known = [name for name in data.glosses if name in metadata.glosses]
    ours = [0, *(data.glosses.index(name) + 1 for name in known)]
    theirs = [0, *(metadata.glosses.index(name) + 1 for name in known)]
    state = model.state_dict()
    for name, value in trained.state_dict().items():
        if name.startswith(PER_GLOSS):
            state[name][ours] = value[theirs]
        else:
            state[name] = value
    model.load_state_dict(state)
    return model, metadata.recipe


def read_resume(path: Path) -> dict[str, Any]:
    """Read which stage a ``last.ckpt`` belongs to.

    Raises:
        CheckpointError: when it cannot be read.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return {"stage": int(content["callbacks"]["Stage"]["number"])}
    except Exception as error:  # torch raises what its unpickler happens to raise
        raise CheckpointError(
            path, "is no training state that can be resumed", f"give the run's {RESUME}"
        ) from error


class Stage(Callback):
    """Remembers in ``last.ckpt`` which stage it belongs to."""

    state_key = "Stage"

    def __init__(self, number: int) -> None:
        self.number = number

    def state_dict(self) -> dict[str, Any]:
        """The stage's number, from 1."""
        return {"number": self.number}


def stage_trainer(
    run: Run, config: TrainingConfig, stage: StageConfig, number: int, keep: KeepBest
) -> lightning.Trainer:
    """A Lightning trainer for one stage."""
    callbacks: list[Callback] = [
        Stage(number),
        keep,
        LearningRateMonitor("step"),
        ModelCheckpoint(
            run.out, filename="last", save_on_train_epoch_end=True, enable_version_counter=False
        ),
    ]
    if run.progress:
        callbacks.append(RichProgressBar())
    if config.patience:
        callbacks.append(EarlyStopping("val_wer", patience=config.patience))
    return lightning.Trainer(
        accelerator={"auto": "auto", "cpu": "cpu", "cuda": "gpu"}[run.device],
        devices=1,
        max_epochs=stage.epochs,
        gradient_clip_val=config.gradient_clip,
        callbacks=callbacks,
        logger=TensorBoardLogger(run.out, name="", version=f"stage{number}-{stage.name}"),
        enable_progress_bar=run.progress,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        use_distributed_sampler=False,
    )


def write_metrics(out: Path) -> dict[str, Any]:
    """Write ``metrics.json`` from what the best network says of itself."""
    metadata = read_metadata(out)
    metrics = {"epoch": metadata.epoch, **metadata.losses, **metadata.metrics}
    replace_file(out / "metrics.json", json.dumps(metrics, indent=1).encode())
    return metrics


def quiet_libraries() -> None:
    """Keep advice meant for Lightning's own users out of the log."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
    warnings.filterwarnings("ignore", module="torch.utils.data")
