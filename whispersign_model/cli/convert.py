# SPDX-License-Identifier: MIT
"""Turn annotated bags into a processed dataset for training.

A bag can be a folder written by `ros2 bag record`, an .mcap or .db3 file, a folder of bags, or a
glob pattern. Labels come from the topic `annotation` or from a CSV table: BAG.csv beside a bag, or
labels.csv in a folder of bags. Recordings are split by signer unless an option says otherwise.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from whispersign_model.cli.arguments import index, not_negative, seed
from whispersign_model.cli.progress import progress

if TYPE_CHECKING:
    from whispersign_model.datasets.conversion import ConversionOptions, Source
    from whispersign_model.recordings.recording import Recording


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``whispersign convert``."""
    add = parser.add_argument
    add("bags", nargs="+", metavar="BAG", help="bag, folder of bags, or pattern such as 'day*/**'")
    add("--out", type=Path, required=True, metavar="DATASET", help="folder to write")
    add(
        "--topic",
        help="topic of the frames (default: hands/raw, or hands/filtered if there is no hands/raw)",
    )
    add(
        "--recover",
        action="store_true",
        help="read as much as possible of files whose recorder was killed",
    )
    add("--labels", type=Path, metavar="TABLE.csv", help="label table for all bags, in any folder")
    add_dataset_arguments(parser)


def add_dataset_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that control a dataset's content; ``import --dataset`` shares them."""
    add = parser.add_argument_group("dataset").add_argument
    add("--force", action="store_true", help="replace an existing dataset")
    add(
        "--on-error",
        choices=("stop", "skip"),
        default="stop",
        help="what to do about a recording that cannot be read (default: %(default)s)",
    )
    add(
        "--cut",
        action="store_true",
        help="make each annotated segment an example; default: whole recordings with all glosses",
    )
    add(
        "--margin",
        type=not_negative,
        default=0.2,
        metavar="SECONDS",
        help="kept around each segment with --cut (default: %(default)s)",
    )
    add(
        "--keep-unlabelled",
        action="store_true",
        help="also keep recordings without annotation and, with --cut, the parts between "
        "segments, as examples in which nothing is signed",
    )
    add(
        "--report",
        type=Path,
        metavar="PAGE.html",
        help="also write a page with histograms and skeletons from the dataset",
    )
    add("--language", default="", metavar="TAG", help="BCP 47 tag of the glosses, such as gsg")
    add = parser.add_argument_group("preprocessing recipe").add_argument
    add("--rate", type=float, help="frames per second (default: 60)")
    add(
        "--smoothing",
        choices=("none", "one_euro", "moving_average"),
        help="filter for the raw frames, also used in live recognition (default: one_euro)",
    )
    _add_split_arguments(parser.add_argument_group("splits (default: by signer, 70/15/15 %)"))


def _add_split_arguments(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    for split, offset in (("val", 1), ("test", 0)):
        add(
            f"--{split}",
            type=_names,
            default=(),
            metavar="NAME[,NAME...]",
            help=f"signers, recordings or the recordings' own split names for {split}; * matches "
            f"anything",
        )
        add(
            f"--{split}-every",
            type=index,
            default=0,
            metavar="N",
            help=f"every Nth recording is for {split}",
        )
        add(
            f"--{split}-offset",
            type=index,
            default=offset,
            metavar="K",
            help=f"recordings whose index modulo N is K (default: {offset})",
        )
    add("--seed", type=seed, default=0, help="seed of the split by signer (default: %(default)s)")


def _names(text: str) -> tuple[str, ...]:
    from whispersign_model.recordings.spelling import normalized

    return tuple(normalized(name) for name in text.split(",") if name.strip())


def options_from(arguments: argparse.Namespace) -> ConversionOptions:
    """Build conversion options from the arguments of ``add_dataset_arguments``.

    Raises:
        RecipeError: a recipe field is out of its range.
    """
    from whispersign_model.datasets.conversion import ConversionOptions
    from whispersign_model.datasets.splits import SplitPolicy
    from whispersign_model.features.recipe import Recipe, Smoothing

    recipe: dict[str, object] = {}
    if arguments.rate is not None:
        recipe["rate"] = arguments.rate
    if arguments.smoothing is not None:
        recipe["smoothing"] = Smoothing(kind=arguments.smoothing)
    policy = fields(SplitPolicy)  # each has an option of the same name
    return ConversionOptions(
        recipe=Recipe().changed(**recipe),
        splits=SplitPolicy(**{each.name: getattr(arguments, each.name) for each in policy}),
        cut=arguments.margin if arguments.cut else None,
        keep_unlabelled=arguments.keep_unlabelled,
        language=arguments.language,
        on_error=arguments.on_error,
        replace=arguments.force,
    )


def run(arguments: argparse.Namespace) -> int:
    """Convert the bags and print the report."""
    from whispersign_model.datasets.conversion import Source
    from whispersign_model.recordings.bags.bag import read_bag
    from whispersign_model.recordings.bags.files import find_bags
    from whispersign_model.recordings.bags.parts import possible_parts
    from whispersign_model.recordings.bags.topics import FILTERED, RAW
    from whispersign_model.recordings.labels import find_labels, labelled

    bags = find_bags(arguments.bags)
    rows, warnings = find_labels(bags, arguments.labels)
    warnings += possible_parts(bags)
    read = partial(
        read_bag,
        topic=arguments.topic,
        prefer=(RAW, FILTERED),
        recover=arguments.recover,
        scratch=arguments.out.parent,
    )

    def recording(bag: Path) -> Recording:
        return labelled(read(bag), rows[bag]) if bag in rows else read(bag)

    sources = [Source(str(bag), partial(recording, bag)) for bag in bags]
    options = options_from(arguments)
    return write_dataset_from(sources, arguments.out, options, arguments.report, warnings)


def write_dataset_from(
    sources: Sequence[Source],
    out: Path,
    options: ConversionOptions,
    page: Path | None,
    warnings: Sequence[str] = (),
) -> int:
    """Convert sources with a progress bar, print the report and return the exit code."""
    if page is not None:
        import matplotlib  # noqa: F401  (fails before the work if it is missing)

    from whispersign_model.datasets.conversion import convert
    from whispersign_model.visualization.conversion_page import write_page

    with progress("Converting", len(sources)) as advance:
        report = convert(out, sources, options, advance, warnings)
    if page is not None:
        write_page(page, out, report)
    print(f"{out}:")
    print(*(f"  {line}" for line in report.lines()), sep="\n")
    return 0
