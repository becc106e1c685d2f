# SPDX-License-Identifier: MIT
"""Train a network on a processed dataset, in stages."""

import argparse
from pathlib import Path

from whispersign_model.bundled import find_checkpoint
from whispersign_model.cli.arguments import checkpoint, config, seed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``whispersign train``."""
    add = parser.add_argument
    add(
        "--config",
        type=config,
        default="config/train.yaml",
        help="training recipe (default: %(default)s of the project)",
    )
    add("--data", type=Path, required=True, help="processed dataset")
    add("--out", type=Path, required=True, help="output folder of the run")
    add("--model", help="tiny, base, default, large, or a YAML file; default: the recipe's size")
    add("--stage", type=int, help="run only this stage, from 1")
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--resume",
        type=Path,
        help="last.ckpt of a run, to resume exactly there; a checkpoint acts like --init",
    )
    start.add_argument(
        "--init",
        type=checkpoint,
        metavar="CKPT",
        help="start from this network, with any vocabulary",
    )
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add(
        "--devices",
        type=int,
        default=1,
        metavar="N",
        help="GPUs, or processes on the CPU, that train together (default: %(default)s)",
    )
    add("--seed", type=seed, help="seed instead of the recipe's")
    add("--quiet", action="store_true", help="show no progress bar")


def run(arguments: argparse.Namespace) -> int:
    """Train, then print the output folder and the network's error rate."""
    from whispersign_model.cli.main import EXIT_USAGE
    from whispersign_model.configuration import load_yaml
    from whispersign_model.datasets.dataset import Dataset
    from whispersign_model.errors import WhisperSignError
    from whispersign_model.network.config import load_model_config
    from whispersign_model.training.config import TrainingConfig
    from whispersign_model.training.role import distributed_info
    from whispersign_model.training.run_folder import check_folder, how_to_resume

    recipe = load_yaml(TrainingConfig, arguments.config)
    if arguments.seed is not None:
        recipe = recipe.model_copy(update={"seed": arguments.seed})
    init, resume = _start(arguments)
    config = load_model_config(_model_file(arguments.model or recipe.size))
    first = distributed_info().rank == 0  # only the first process of torchrun prints
    out, quiet = arguments.out, arguments.quiet
    try:
        check_folder(out, resume)
        data = Dataset.open(arguments.data)

        # These import PyTorch and Lightning, which takes seconds.
        from whispersign_model.training.resume import read_resume
        from whispersign_model.training.trainer import train
        from whispersign_model.training.training_run import RunOptions

        if resume is not None and arguments.model:
            read_resume(resume, out).require_network(config.changed(recipe.network))
        metrics = train(
            RunOptions(data, out, arguments.device, arguments.devices, progress=not quiet),
            recipe,
            config,
            arguments.stage,
            resume,
            init,
        )
    except KeyboardInterrupt:
        if first:
            print(f"stopped; {how_to_resume(out, init)}")
        raise
    except WhisperSignError:
        if first:
            raise
        return EXIT_USAGE
    if first:
        print(
            f"{out}: validation WER {metrics['val_wer']:.3f}, "
            f"exact sequences {metrics['val_accuracy']:.3f} (epoch {metrics['epoch']})"
        )
    return 0


def _start(arguments: argparse.Namespace) -> tuple[Path | None, Path | None]:
    """Return the network to start from and the training state to resume from; at most one is set.

    Raises:
        CheckpointError: the network to start from is missing, damaged or exported.
        ConfigError: ``--model`` is set beside a network to start from.
    """
    from whispersign_model.errors import ConfigError
    from whispersign_model.network.checkpoint import read_trainable_metadata
    from whispersign_model.training.run_folder import RESUME

    init, resume = arguments.init, arguments.resume
    if resume is not None and resume.suffix != Path(RESUME).suffix:
        init, resume = find_checkpoint(str(resume)), None  # a checkpoint has no training state
    if init is not None:
        if arguments.model:
            raise ConfigError("--model", f"the size is that of {init}", "omit --model")
        read_trainable_metadata(init)
    return init, resume


def _model_file(wanted: str) -> Path:
    """Return the configuration file of a network's size, or ``wanted`` as a path.

    Raises:
        ConfigError: it is neither a size nor a file.
    """
    from whispersign_model.configuration import config_file
    from whispersign_model.errors import ConfigError
    from whispersign_model.network.config import SIZES

    file = config_file(f"model/{wanted}.yaml") if wanted in SIZES else Path(wanted)
    if not file.is_file():
        choices = f"choose {', '.join(SIZES)} or a YAML file"
        raise ConfigError(f"--model {wanted}", "is neither a size nor a file", choices)
    return file
