# SPDX-License-Identifier: MIT
"""Recognize recordings with a trained network and print glosses with times and confidences."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from whispersign_model.cli.arguments import checkpoint, recordings_path
from whispersign_model.cli.bags import find_bags_in, read_checked_bag, warn_slow
from whispersign_model.cli.outputs import check_file, write_json
from whispersign_model.cli.video import is_video, read_hands
from whispersign_model.errors import ConfigError
from whispersign_model.recordings.recording import Recording
from whispersign_model.timestamps import NANOSECONDS

if TYPE_CHECKING:
    from whispersign_model.decoding.result import Result


# Of the times in the JSON file, which are capture times as in the recording.
UNITS = {"first_frame": "ns", "start": "ns", "end": "ns"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``whispersign recognize``."""
    add = parser.add_argument
    add("checkpoint", type=checkpoint, metavar="CKPT")
    add(
        "inputs",
        type=recordings_path,
        nargs="+",
        metavar="BAG|VIDEO|ARCHIVE",
        help="recordings; german_takes and thai_takes are bundled archives",
    )
    add(
        "--partials", action="store_true", help="also print partial results while signing continues"
    )
    add(
        "--min-confidence",
        type=float,
        default=0.0,
        metavar="C",
        help="omit glosses with a lower confidence, 0 to 1 (default: %(default)s)",
    )
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--json", type=Path, metavar="OUT.json", help="write the results; times in nanoseconds")


def run(arguments: argparse.Namespace) -> int:
    """Recognize each recording exactly as the live graph does, and print the glosses."""
    from dataclasses import asdict

    from rich.console import Console

    from whispersign_model.decoding.streaming import (
        RecognizerOptions,
        StreamingRecognizer,
        recognize_recording,
    )
    from whispersign_model.features.preprocessor import Preprocessor
    from whispersign_model.network.checkpoint import read_metadata
    from whispersign_model.runtime.loading import load_backend

    if not 0 <= arguments.min_confidence <= 1:
        raise ConfigError("--min-confidence", f"is {arguments.min_confidence:g}", "give 0 to 1")
    options = RecognizerOptions(min_confidence=arguments.min_confidence)
    metadata = read_metadata(arguments.checkpoint)
    check_file(arguments.json)
    backend = load_backend(arguments.checkpoint, arguments.device)
    if backend.notice:
        print(backend.notice)
    recognizer = StreamingRecognizer(
        backend, metadata.glosses, options, metadata.recipe, metadata.confidence
    )
    preprocessor = Preprocessor(metadata.recipe)
    console = Console()
    found = []
    for recording in _recordings(arguments.inputs, metadata.recipe.coordinates):
        results = recognize_recording(recognizer, preprocessor, recording)
        origin = int(recording.stamps[0]) if len(recording) else 0
        if arguments.partials:
            for result in results:
                console.print(_line(result, origin), highlight=False, markup=False)
        finals = [result for result in results if result.final]
        console.print(_table(recording, finals, origin))
        found.append(
            {
                "recording": recording.name,
                "units": UNITS,
                "first_frame": origin,
                "glosses": [asdict(gloss) for result in finals for gloss in result.glosses],
            }
        )
    write_json(arguments.json, found)
    return 0


def _recordings(inputs: list[Path], coordinates: str) -> Iterator[Recording]:
    """Yield the recordings of archives, bags and videos one by one."""
    from whispersign_model.datasets.archive import read_archive

    for path in inputs:
        if path.suffix == ".npz":
            recordings = read_archive(path)
            warn_slow(path, recordings)
            yield from recordings
        elif is_video(path):
            recording = read_hands(path, coordinates)
            warn_slow(path, [recording])
            yield recording
        else:
            yield from map(read_checked_bag, find_bags_in(path))


def _table(recording: Recording, finals: Sequence[Result], origin: int) -> Table:
    """Return a table of a recording's final glosses, with the signed glosses if known."""
    table = Table(
        *("utterance", "start s", "end s", "gloss", "confidence", "or", "known at s"),
        title=Text(recording.name or "recording"),
    )
    for result in finals:
        for gloss in result.glosses:
            table.add_row(
                str(result.utterance_id),
                f"{(gloss.start - origin) / NANOSECONDS:.2f}",
                f"{(gloss.end - origin) / NANOSECONDS:.2f}",
                Text(gloss.gloss),
                f"{gloss.confidence:.2f}",
                Text(", ".join(f"{name} {share:.2f}" for name, share in gloss.alternatives[:3])),
                f"{(result.stamp - origin) / NANOSECONDS:.2f}",
            )
    if recording.glosses:
        table.caption = Text("signed: " + " ".join(recording.glosses))
    return table


def _line(result: Result, origin: int) -> str:
    """Format a result as one line, with | after the stable glosses."""
    stable = sum(gloss.stable for gloss in result.glosses)
    names = [gloss.gloss for gloss in result.glosses]
    if not result.final:
        names.insert(stable, "|")
    kind = "final  " if result.final else "partial"
    seconds = (result.stamp - origin) / NANOSECONDS
    return f"{seconds:7.2f} s  {kind} {result.utterance_id}: {' '.join(names)}"
