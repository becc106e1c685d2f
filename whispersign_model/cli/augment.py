# SPDX-License-Identifier: MIT
"""Draw a page that shows the effect of each kind of augmentation on a clip."""

import argparse
from contextlib import ExitStack
from pathlib import Path

from whispersign_model.cli.arguments import seed

MADE_UP = ("OPEN", "HELLO", "STOP", "THANKS", "HOME")  # the page shows OPEN, which is two-handed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``whispersign augment``."""
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="PAGE.png", help="the picture")
    add("--data", type=Path, help="processed dataset (default: synthetic signs of one signer)")
    add("--example", help="name of a training example (default: the first)")
    add("--seed", type=seed, default=0, help="seed of the variations")


def run(arguments: argparse.Namespace) -> int:
    """Draw the page and print the name of the clip it shows."""
    from whispersign_model.benchmarks.loading import made_up_dataset
    from whispersign_model.datasets.dataset import Dataset
    from whispersign_model.datasets.short_clips import split_short
    from whispersign_model.errors import ConfigError
    from whispersign_model.network.config import FrontendConfig
    from whispersign_model.synthesis.corpus import CorpusOptions
    from whispersign_model.temporary import temporary_folder
    from whispersign_model.training_data.clip_store import ClipStore
    from whispersign_model.visualization.augmentation_page import write_page

    with ExitStack() as stack:
        folder: Path | None = arguments.data
        if folder is None:
            scratch = stack.enter_context(temporary_folder())
            corpus = CorpusOptions(glosses=MADE_UP, takes=2, left_handed=0.0)
            folder = made_up_dataset(scratch / "dataset", corpus)
        data = Dataset.open(folder)
        examples, _ = split_short(data.split("train"), FrontendConfig().patch_size)
        names = [example.name for example in examples]
        isolated = [example.name for example in examples if len(example.labels) == 1]
        shown = [name for name in isolated if arguments.data is None and MADE_UP[0] in name]
        wanted = arguments.example or (shown + isolated + names)[0]
        if wanted not in names:
            raise ConfigError(
                f"--example {wanted}", "is not in the training split", f"there is {names[0]}, ..."
            )
        if len(examples[names.index(wanted)].labels) != 1:
            raise ConfigError(f"--example {wanted}", "is not a single sign", "name another")
        takes = ClipStore(examples, data.recipe.rate, FrontendConfig().patch_size)
        write_page(
            arguments.out,
            takes,
            names.index(wanted),
            data.glosses,
            data.recipe.rate,
            arguments.seed,
        )
    print(f"{arguments.out}: variations of {wanted}")
    return 0
