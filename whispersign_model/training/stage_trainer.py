# SPDX-License-Identifier: MIT
"""The Lightning trainer for one stage: callbacks, processes, precision and files."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import lightning
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy

from whispersign_model.training.callbacks import AtomicCheckpointIO, StageBar, StopWhenStalled
from whispersign_model.training.config import TrainingConfig
from whispersign_model.training.role import distributed_info


def stage_trainer(
    out: Path,
    config: TrainingConfig,
    number: int,
    own: Sequence[Callback],
    device: str,
    progress: bool,
) -> lightning.Trainer:
    """Return a Lightning trainer for one stage that uses all processes of the run.

    Args:
        out: the run's folder.
        config: the training recipe.
        number: number of the stage, from 1.
        own: additional callbacks.
        device: auto, cpu or cuda.
        progress: whether to show a progress bar.
    """
    stage = config.stages[number - 1]
    callbacks: list[Callback] = [
        *own,
        LearningRateMonitor("step"),
        ModelCheckpoint(
            out, filename="last", save_on_train_epoch_end=True, enable_version_counter=False
        ),
    ]
    if progress:
        callbacks.append(StageBar(f"{number} of {len(config.stages)} ({stage.name})"))
    if config.patience and not stage.auxiliary:
        callbacks.append(StopWhenStalled(config.patience))
    _, count, here = distributed_info()
    several = DDPStrategy(
        broadcast_buffers=False,  # TrainingModule.average does this instead
        cluster_environment=TorchElasticEnvironment(),
    )
    return lightning.Trainer(
        accelerator={"auto": "auto", "cpu": "cpu", "cuda": "gpu"}[device],
        devices=here,
        num_nodes=count // here,
        strategy=several if count > 1 else "auto",
        precision=config.precision,
        accumulate_grad_batches=config.accumulate,
        max_epochs=stage.epochs,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        logger=TensorBoardLogger(out, name="", version=f"stage{number}-{stage.name}"),
        enable_progress_bar=progress,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        use_distributed_sampler=False,
    )


def quiet_libraries() -> None:
    """Suppress the advice that Lightning prints for its own users."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
    warnings.filterwarnings("ignore", module="torch.utils.data")
