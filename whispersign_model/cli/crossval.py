# SPDX-License-Identifier: MIT
"""Train and test on published recordings, one fold at a time, following a protocol."""

import argparse
from pathlib import Path
from typing import Any

from whispersign_model.cli.arguments import checkpoint, config, seed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``whispersign crossval``."""
    add = parser.add_argument
    add("protocol", metavar="NAME", help="a file of config/crossval, such as shrec17, or a path")
    add(
        "--archives",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with the archives (.npz)",
    )
    add("--out", type=Path, required=True, help="folder for all folds; completed folds are kept")
    add(
        "--folds",
        type=_numbers,
        default=(),
        metavar="K[,K...]",
        help="numbers of the folds, from 1 (default: all)",
    )
    add(
        "--takes",
        type=_numbers,
        default=(),
        metavar="N[,N...]",
        help="instead, learn every third sign from N takes, with a network trained on the other "
        "signs and with one trained from scratch; test as in the first fold",
    )
    add("--seed", type=seed, default=0, help="seed of the training (default: 0)")
    add("--config", type=config, help="training recipe (default: the protocol's)")
    add("--model", help="tiny, base, default, large (default: the recipe's size)")
    add("--init", type=checkpoint, metavar="CKPT", help="start from this network")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--json", type=Path, metavar="OUT.json", help="write all figures")
    add("--quiet", action="store_true", help="show no progress bars")


def _say(line: str) -> None:
    print(line, flush=True)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a list of numbers such as 1,5") from None


def run(arguments: argparse.Namespace) -> int:
    """Run the folds and print a table of all completed folds."""
    from whispersign_model.cli.outputs import check_file, write_json
    from whispersign_model.configuration import config_file, load_yaml
    from whispersign_model.crossval.settings import Protocol
    from whispersign_model.errors import ConfigError
    from whispersign_model.network.checkpoint import read_trainable_metadata
    from whispersign_model.network.config import SIZES, load_model_config
    from whispersign_model.training.config import TrainingConfig

    check_file(arguments.json)
    if arguments.init and arguments.model:
        raise ConfigError("--model", f"the size is that of {arguments.init}", "omit --model")
    given = Path(arguments.protocol)
    file = given if given.is_file() else config_file(f"crossval/{given}.yaml")
    protocol = load_yaml(Protocol, file)
    recipe = load_yaml(TrainingConfig, arguments.config or config_file(protocol.train))
    size = arguments.model or recipe.size
    if size not in SIZES:
        raise ConfigError(f"--model {size}", "is not a size", f"choose {', '.join(SIZES)}")
    if arguments.init is not None:
        read_trainable_metadata(arguments.init)
    archive = arguments.archives / protocol.archive
    if not archive.is_file():
        raise ConfigError(archive, "does not exist", "give the folder of the archive to --archives")

    # This imports PyTorch and Lightning, which takes seconds.
    from whispersign_model.crossval import protocol as crossval

    plan = crossval.CrossvalRun(
        protocol=protocol,
        archive=archive,
        out=arguments.out,
        folds=arguments.folds,
        seed=arguments.seed,
        recipe=recipe,
        network=load_model_config(config_file(f"model/{size}.yaml")),
        init=arguments.init,
        device=arguments.device,
        progress=not arguments.quiet,
    )
    figures: Any
    if arguments.takes:
        from whispersign_model.crossval import few_takes

        few_takes.run(plan, arguments.takes, _say)
        figures = few_takes.summary(arguments.out)
        lines = few_takes.table(figures)
    else:
        crossval.run(plan, _say)
        figures = crossval.summary(arguments.out)
        lines = crossval.table(protocol, figures)
    print(*lines, sep="\n")
    write_json(arguments.json, figures)
    return 0
