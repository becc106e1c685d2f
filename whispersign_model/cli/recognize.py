"""Recognise recordings with a trained network: a table of glosses with times and confidences."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from whispersign_model.cli.video import is_video, read_hands
from whispersign_model.recordings.recording import Recording


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``whispersign recognize``."""
    parser.add_argument("checkpoint", type=Path, metavar="CKPT")
    parser.add_argument("inputs", type=Path, nargs="+", metavar="BAG|VIDEO|ARCHIVE")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="write the results")


def run(arguments: argparse.Namespace) -> int:
    """Recognise each recording as the live graph would, and print what was found."""
    import json
    from dataclasses import asdict

    from rich.console import Console

    from whispersign_model.decoding.streaming import StreamingRecognizer, recognize_recording
    from whispersign_model.features.preprocessor import Preprocessor
    from whispersign_model.network.checkpoint import read_metadata
    from whispersign_model.recordings.atomic import replace_file
    from whispersign_model.recordings.recording import NANOSECONDS
    from whispersign_model.runtime.torch_backend import load_backend

    metadata = read_metadata(arguments.checkpoint)
    backend = load_backend(arguments.checkpoint, arguments.device)
    if backend.notice:
        print(backend.notice)
    recognizer = StreamingRecognizer(backend, metadata.glosses)
    preprocessor = Preprocessor(metadata.recipe)
    console = Console()
    found = []
    for recording in _recordings(arguments.inputs, metadata.recipe.coordinates):
        results = recognize_recording(recognizer, preprocessor, recording)
        glosses = [gloss for result in results if result.final for gloss in result.glosses]
        origin = int(recording.stamps[0]) if len(recording) else 0
        table = _table(recording.name, recording.glosses)
        for gloss in glosses:
            others = ", ".join(f"{name} {share:.2f}" for name, share in gloss.alternatives[:3])
            table.add_row(
                f"{(gloss.start - origin) / NANOSECONDS:.2f}",
                f"{(gloss.end - origin) / NANOSECONDS:.2f}",
                gloss.gloss,
                f"{gloss.confidence:.2f}",
                others,
            )
        console.print(table)
        found.append({"recording": recording.name, "glosses": [asdict(gloss) for gloss in glosses]})
    if arguments.json:
        replace_file(arguments.json, json.dumps(found, indent=1).encode())
    return 0


def _recordings(inputs: list[Path], coordinates: str) -> Iterator[Recording]:
    """Read archives, bags and videos, one recording after the other."""
    from whispersign_model.recordings.archive import read_archive
    from whispersign_model.recordings.bag import read_bag
    from whispersign_model.recordings.bag_files import find_bags

    for path in inputs:
        if path.suffix == ".npz":
            yield from read_archive(path)
        elif is_video(path):
            yield read_hands(path, coordinates)
        else:
            yield from map(read_bag, find_bags([path]))


def _table(name: str, signed: tuple[str, ...]) -> Table:
    """An empty table for one recording, with what was signed when that is known."""
    table = Table("start s", "end s", "gloss", "confidence", "or", title=name or "recording")
    if signed:
        table.caption = "signed: " + " ".join(signed)
    return table
