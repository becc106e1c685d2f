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
    from whispersign_model.configuration import config_file, load_yaml
    from whispersign_model.datasets.dataset import Dataset
    from whispersign_model.errors import ConfigError, WhisperSignError
    from whispersign_model.network.config import SIZES, load_model_config
    from whispersign_model.training.config import TrainingConfig
    from whispersign_model.training.distributed import distributed_info
    from whispersign_model.training.resume import RESUME, how_to_resume
    from whispersign_model.training.trainer import train
    from whispersign_model.training.training_run import RunOptions

    recipe = load_yaml(TrainingConfig, arguments.config)
    if arguments.seed is not None:
        recipe = recipe.model_copy(update={"seed": arguments.seed})
    init, resume = arguments.init, arguments.resume
    if resume is not None and resume.suffix != Path(RESUME).suffix:
        init, resume = find_checkpoint(str(resume)), None  # a checkpoint has no training state
    if init is not None and arguments.model:
        raise ConfigError("--model", f"the size is that of {init}", "omit --model")
    wanted = arguments.model or recipe.size
    file = config_file(f"model/{wanted}.yaml") if wanted in SIZES else Path(wanted)
    if not file.is_file():
        choices = f"choose {', '.join(SIZES)} or a YAML file"
        raise ConfigError(f"--model {wanted}", "is neither a size nor a file", choices)
    first = distributed_info().rank == 0  # only the first process of torchrun prints
    try:
        data = Dataset.open(arguments.data)
        out, quiet = arguments.out, arguments.quiet
        metrics = train(
            RunOptions(data, out, arguments.device, arguments.devices, progress=not quiet),
            recipe,
            load_model_config(file),
            arguments.stage,
            resume,
            init,
        )
    except KeyboardInterrupt:
        if first:
            print(f"stopped; {how_to_resume(arguments.out)}")
        raise
    except WhisperSignError:
        if first:
            raise
        return EXIT_USAGE
    if first:
        print(
            f"{arguments.out}: validation WER {metrics['val_wer']:.3f}, "
            f"exact sequences {metrics['val_accuracy']:.3f} (epoch {metrics['epoch']})"
        )
    return 0
