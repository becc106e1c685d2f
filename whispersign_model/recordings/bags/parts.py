# SPDX-License-Identifier: MIT
"""Numbered files that may be parts of one recording."""

import re
from collections.abc import Iterable
from pathlib import Path

from whispersign_model.recordings.atomic import bag_name

PART = re.compile(r"_\d+$")  # number of a part, counted from 0


def possible_parts(bags: Iterable[Path]) -> list[str]:
    """Warn about numbered files that are read one by one and may be parts of one recording."""
    numbered: dict[Path, list[Path]] = {}
    for bag in bags:
        if bag.is_file() and PART.search(bag_name(bag)):
            recording = bag.parent / PART.sub("", bag_name(bag))
            numbered.setdefault(recording, []).append(bag)
    return [
        f"{parts[0]} and {parts[1].name} are read as separate recordings; if they are parts of "
        f"one, move its parts into a folder named {recording.name}"
        for recording, parts in numbered.items()
        if len(parts) > 1
    ]
