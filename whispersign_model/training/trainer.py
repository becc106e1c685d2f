# SPDX-License-Identifier: MIT
"""The trainer: check the options, start the processes, run the stages, and report errors."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning
import torch

from whispersign_model.errors import CheckpointError, ConfigError, WhisperSignError
from whispersign_model.network.config import ModelConfig
from whispersign_model.training.config import TrainingConfig
from whispersign_model.training.distributed import check_devices, launch_processes
from whispersign_model.training.preparation import chosen_stages, prepare
from whispersign_model.training.resume import read_resume
from whispersign_model.training.role import part_of_several
from whispersign_model.training.run_folder import check_folder, how_to_resume
from whispersign_model.training.stage_trainer import quiet_libraries
from whispersign_model.training.training_run import RunOptions


def train(
    options: RunOptions,
    config: TrainingConfig,
    model_config: ModelConfig,
    only_stage: int | None = None,
    resume: Path | None = None,
    init: Path | None = None,
) -> dict[str, Any]:
    """Train a network through all stages.

    Args:
        options: data, output folder and processes.
        config: the training recipe.
        model_config: configuration of the network; the dataset sets its vocabulary.
        only_stage: number of the only stage to train, from 1. A resumed run keeps its own stages.
        resume: the ``last.ckpt`` of a run; training continues exactly there, in the same folder.
        init: a checkpoint to start from, with any vocabulary; it determines the network's
            configuration and the normalization of features.

    Returns:
        the metrics of the best network, as in ``out/metrics.json``. Processes other than the first
        return an empty dictionary.

    Raises:
        WhisperSignError: the data or the options are unsuitable; raised before the first step.
        KeyboardInterrupt: the user pressed Ctrl-C; ``last.ckpt`` holds the last complete epoch.
    """
    check_devices(options.devices, options.device)
    _check_precision(config, options.device)
    stages = chosen_stages(config, only_stage)
    state = None if resume is None else read_resume(resume, options.out)
    if state is not None and only_stage is None:
        stages = [(number, stage) for number, stage in stages if number in state.stages]
    check_folder(options.out, resume)
    if options.devices > 1 and not part_of_several():
        return launch_processes(
            options.devices, train, options, config, model_config, only_stage, resume, init
        )
    quiet_libraries()
    lightning.seed_everything(config.seed, verbose=False)
    run = prepare(options, config, model_config, stages, state, init)
    try:
        run.run_stages()
        return run.finish()
    except (KeyboardInterrupt, SystemExit):  # Lightning turns Ctrl-C into SystemExit
        run.logger.write(f"stopped; {how_to_resume(options.out, init)}")
        raise KeyboardInterrupt from None
    except WhisperSignError as error:
        run.logger.write(f"error: {error}")
        raise
    except BrokenPipeError:  # nothing reads the progress bar anymore
        raise
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else options.out
        reason = f"cannot be written or read ({error.strerror or error})"
        fault = CheckpointError(where, reason, how_to_resume(options.out, init))
        with suppress(OSError):
            run.logger.write(f"error: {fault}")
        raise fault from error


def _check_precision(config: TrainingConfig, device: str) -> None:
    """Reject a precision that the device does not support."""
    if config.precision == "16-mixed" and (device == "cpu" or not torch.cuda.is_available()):
        raise ConfigError("precision", "16-mixed needs a GPU", "take bf16-mixed or 32")
