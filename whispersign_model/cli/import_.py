# SPDX-License-Identifier: MIT
"""Turn a recording archive (.npz) into annotated bags, or directly into a processed dataset."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from whispersign_model.cli.arguments import defaults_of, recordings_path, refuse_idle
from whispersign_model.cli.bags import warn_slow
from whispersign_model.cli.convert import add_dataset_arguments, options_from, write_dataset_from
from whispersign_model.cli.progress import progress
from whispersign_model.errors import BagError

if TYPE_CHECKING:
    from whispersign_model.recordings.recording import Recording

STORAGE = "mcap"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``whispersign import``."""
    parser.add_argument(
        "archive",
        type=recordings_path,
        metavar="ARCHIVE.npz",
        help="recording archive; german_takes and thai_takes are bundled test recordings",
    )
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument(
        "--out", type=Path, metavar="BAGS", help="folder for labeled bags, one per recording"
    )
    target.add_argument(
        "--dataset", type=Path, metavar="DIR", help="folder for a dataset, as from `convert`"
    )
    parser.add_argument(
        "--storage",
        choices=("mcap", "sqlite3"),
        default=STORAGE,
        help="storage format of the bags (default: %(default)s)",
    )
    parser.add_argument(
        "--label",
        default="lab",
        metavar="FIELD",
        help="label array of the archive, such as label28 (default: %(default)s)",
    )
    add_dataset_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Import the archive and print a summary."""
    from whispersign_model.datasets.archive import read_archive
    from whispersign_model.datasets.conversion import Source

    if arguments.dataset is None:
        remedy = "or give it to `whispersign convert` afterwards"
        idle = defaults_of(add_dataset_arguments)
        refuse_idle(arguments, idle, "has no effect without --dataset", remedy)
    else:
        refuse_idle(arguments, {"storage": STORAGE}, "has no effect without --out", "omit it")
    recordings = read_archive(arguments.archive, arguments.label)
    if arguments.dataset is None:
        warn_slow(arguments.archive, recordings)
        return _write_bags(recordings, arguments.out, arguments.storage)
    sources = [Source.of(each) for each in recordings]
    options = options_from(arguments)
    return write_dataset_from(sources, arguments.dataset, options, arguments.report)


def _write_bags(recordings: list[Recording], out: Path, storage: str) -> int:
    from whispersign_model.recordings.atomic import added_files
    from whispersign_model.recordings.bags.bag import write_bag

    with (
        added_files(out, [each.name for each in recordings], BagError) as folder,
        progress("Importing", len(recordings)) as advance,
    ):
        for recording in recordings:
            write_bag(folder / recording.name, recording, storage)
            advance()
    frames = sum(len(recording) for recording in recordings)
    labelled = sum(bool(recording.segments) for recording in recordings)
    print(f"{out}: {len(recordings)} bags, {frames} frames, {labelled} with annotation")
    return 0
