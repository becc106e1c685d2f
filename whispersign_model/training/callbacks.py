# SPDX-License-Identifier: MIT
"""Callbacks for the end of an epoch: keep the best network, log, save the state, and stop."""

import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, EarlyStopping, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger

from whispersign_model.decoding.edit_distance import edits
from whispersign_model.evaluation.figures import confusion_figure
from whispersign_model.network.checkpoint import CheckpointMetadata
from whispersign_model.recordings.atomic import replace_file
from whispersign_model.training.module import Sample, TrainingModule
from whispersign_model.training.run_logger import RunLogger, epoch_line
from whispersign_model.training_data.windows import Spans


class KeepBest(Callback):
    """Saves the network to the run's folder whenever validation is at least as good as before.

    Args:
        out: the run's folder.
        metadata: metadata of the network.
        epochs_before: total number of epochs in earlier stages.
        warm_up_alone: also keep the last network of a stage with an auxiliary head, because no
            other stage follows. That network cannot recognize yet, but another run can start from
            it.
    """

    def __init__(
        self,
        out: Path,
        metadata: CheckpointMetadata,
        epochs_before: int,
        warm_up_alone: bool = False,
    ) -> None:
        self.out = out
        self.metadata = metadata
        self.epochs_before = epochs_before
        self.warm_up_alone = warm_up_alone
        self.best_wer = float("inf")

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Compare the validation results, and save the network if they are the best."""
        assert isinstance(module, TrainingModule)
        wer = float(trainer.callback_metrics["val_wer"])
        warm_up = module.stage.auxiliary
        if trainer.sanity_checking or (not self.warm_up_alone if warm_up else wer > self.best_wer):
            return
        if not warm_up:
            self.best_wer = wer
        if not trainer.is_global_zero:
            return
        losses = {name: value for name, value in module.means.items() if name.startswith("loss")}
        metrics = trainer.callback_metrics
        metadata = self.metadata.model_copy(
            update={
                "epoch": self.epochs_before + trainer.current_epoch + 1,
                "losses": losses,
                "metrics": {name: float(metrics[name]) for name in ("val_wer", "val_accuracy")},
            }
        )
        module.best_weights.save_checkpoint(self.out, metadata)

    def state_dict(self) -> dict[str, Any]:
        """Return the state that an exact resume requires."""
        return {"best_wer": self.best_wer}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state on resume."""
        self.best_wer = state["best_wer"]


class StageState(Callback):
    """Stores in ``last.ckpt`` what a resume needs, and logs one line per epoch.

    Args:
        number: number of the stage, from 1.
        identity: settings that a resumed run must share with this one.
        history: the ``record`` of each earlier stage.
        logger: the log of the run.
        spans: gloss spans of each training clip, if the network has aligned them.
    """

    state_key = "Stage"

    def __init__(
        self,
        number: int,
        identity: dict[str, str],
        history: Sequence[dict[str, Any]],
        logger: RunLogger,
        spans: Sequence[Spans] | None = None,
    ) -> None:
        self.identity = identity
        self.history = list(history)
        self.logger = logger
        self.spans = None if spans is None else list(spans)
        self.record: dict[str, Any] = {
            "stage": number,
            "name": "",
            "epochs": 0,
            "seconds": 0.0,
            "best_val_wer": None,
            "best_epoch": None,
        }
        self._started = 0.0

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start timing the epoch."""
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Count the epoch and log its figures."""
        assert isinstance(module, TrainingModule)
        record, seconds, wer = self.record, time.monotonic() - self._started, module.errors.wer
        record["name"] = module.stage.name
        record["epochs"] = trainer.current_epoch + 1
        record["seconds"] = round(record["seconds"] + seconds, 1)
        before = record["best_val_wer"]
        if not module.stage.auxiliary and (before is None or wer <= before):
            record["best_val_wer"], record["best_epoch"] = wer, record["epochs"]
        earlier = [stage["best_val_wer"] for stage in self.history]
        least = min((value for value in earlier if value is not None), default=wer)
        best = record["best_epoch"] == record["epochs"] and wer <= least
        learning_rate = trainer.optimizers[0].param_groups[0]["lr"]
        self.logger.write(epoch_line(module, record["epochs"], learning_rate, seconds, best))

    def state_dict(self) -> dict[str, Any]:
        """Return the records of this and earlier stages, the identity of the run, and the spans."""
        return {
            "identity": self.identity,
            "history": self.history,
            "record": dict(self.record),
            "spans": self.spans,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the record of the interrupted stage."""
        self.record = dict(state["record"])


class StopWhenStalled(EarlyStopping):
    """Ends a stage when validation stalls; a resumed run does not restart that stage."""

    def __init__(self, epochs: int) -> None:
        super().__init__("val_wer", patience=epochs)

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Stop immediately if the stage had already ended before the resume."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True


class LogHypotheses(Callback):
    """Logs the hypotheses for some clips to TensorBoard, and the confusions at the end."""

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Write the table of hypotheses."""
        assert isinstance(module, TrainingModule)
        if trainer.is_global_zero:
            writer = tensorboard(trainer)
            writer.add_text("hypotheses", hypotheses_table(module.samples), trainer.global_step)

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Draw the confusion matrix of the last validation."""
        assert isinstance(module, TrainingModule)
        if trainer.is_global_zero and module.errors.sequences:
            writer = tensorboard(trainer)
            figure = confusion_figure(module.errors.pairs)
            writer.add_figure("confusions", figure, trainer.global_step, close=False)


def tensorboard(trainer: Trainer) -> Any:
    """Return the writer for the trainer's TensorBoard log."""
    logger = trainer.logger
    assert isinstance(logger, TensorBoardLogger)
    return logger.experiment


class StageBar(RichProgressBar):
    """A progress bar that also shows the current stage."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self.stage = stage

    def get_metrics(self, trainer: Trainer, module: LightningModule) -> dict[str, Any]:
        """Show the stage before the metrics."""
        metrics: dict[str, Any] = super().get_metrics(trainer, module)
        metrics.pop("v_num", None)
        return {"stage": self.stage, **metrics}


class AtomicCheckpointIO(TorchCheckpointIO):
    """Saves training states atomically: a killed process never leaves a partial file."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write the file. Lightning calls this only in the first process.

        Raises:
            OSError: the file cannot be written. The previous file stays in place.
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        replace_file(Path(path), content.getvalue())


def marked(reference: Sequence[str], hypothesis: Sequence[str]) -> str:
    """Format glosses in Markdown: missed ones struck through, wrong or inserted ones in bold."""
    words = []
    for edit in edits(reference, hypothesis):
        signed = None if edit.reference is None else reference[edit.reference]
        recognized = None if edit.hypothesis is None else hypothesis[edit.hypothesis]
        if signed == recognized:
            words.append(f"{signed}")
            continue
        words += [f"~~{signed}~~"] if signed is not None else []
        words += [f"**{recognized}**"] if recognized is not None else []
    return " ".join(words)


def hypotheses_table(samples: Sequence[Sample]) -> str:
    """Format the signed and recognized glosses of clips as a Markdown table."""
    rows = ["| clip | signed | recognized |", "|---|---|---|"]
    for name, reference, hypothesis in samples:
        rows.append(f"| {name} | {' '.join(reference)} | {marked(reference, hypothesis)} |")
    return "\n".join(rows)
