# SPDX-License-Identifier: MIT
"""Read bags for `view` and `recognize`, and warn of recordings, as `convert` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from whispersign_model.cli.outputs import warn
from whispersign_model.errors import SUBJECT, printable

if TYPE_CHECKING:
    from whispersign_model.recordings.recording import Recording


def find_bags_in(path: Path) -> list[Path]:
    """Return the bags at a path; warn of files that may be parts of one recording.

    Raises:
        BagError: the path does not lead to any bag.
    """
    from whispersign_model.recordings.bags.files import find_bags
    from whispersign_model.recordings.bags.parts import possible_parts

    bags = find_bags([path])
    for warning in possible_parts(bags):
        warn(warning)
    return bags


def read_checked_bag(bag: Path) -> Recording:
    """Read a bag; warn of stamps and positions in another unit, and of too few frames.

    Raises:
        BagError: the bag cannot be read.
    """
    from whispersign_model.datasets.units import recording_fault
    from whispersign_model.recordings.bags.bag import read_bag

    recording = read_bag(bag)
    if len(recording) and (fault := recording_fault(recording)):
        warn(f"{printable(str(bag), SUBJECT)}: {fault}")
    else:
        warn_slow(bag, [recording])
    return recording


def warn_slow(path: Path, recordings: Sequence[Recording]) -> None:
    """Warn in one line if recordings of a file have too few frames per second."""
    from whispersign_model.features.frame_rate import describe_slow, slow_rate

    rates = {each.name: slow_rate(each.stamps) for each in recordings}
    if text := describe_slow(rates):
        warn(f"{printable(str(path), SUBJECT)}: {text}")
