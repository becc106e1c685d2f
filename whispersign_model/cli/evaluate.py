"""Measure a network's errors on a split of a processed dataset."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``whispersign evaluate``."""
    parser.add_argument("checkpoint", type=Path, metavar="CKPT")
    parser.add_argument("--data", type=Path, required=True, help="processed dataset")
    parser.add_argument("--split", default="test", choices=("train", "val", "test"))
    parser.add_argument("--method", default="rescore", choices=("greedy", "beam", "rescore"))
    parser.add_argument(
        "--streaming", action="store_true", help="frame by frame through the live recogniser"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="write all figures")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print the figures."""
    import json

    from rich.progress import Progress

    from whispersign_model.decoding.search import DecodingOptions
    from whispersign_model.decoding.streaming import RecognizerOptions
    from whispersign_model.network.model import WhisperSignModel
    from whispersign_model.recordings.atomic import replace_file
    from whispersign_model.recordings.dataset import Dataset
    from whispersign_model.runtime.torch_backend import choose_device
    from whispersign_model.training.evaluation import (
        check_fit,
        evaluate,
        evaluate_streaming,
        report,
    )

    model, metadata = WhisperSignModel.load_checkpoint(arguments.checkpoint)
    device, notice = choose_device(arguments.device)
    if notice:
        print(notice)
    model.to(device)
    data = Dataset.open(arguments.data)
    for warning in data.warnings():
        print(f"warning: {warning}")
    check_fit(data, metadata)
    examples = data.split(arguments.split)
    with Progress(transient=True) as progress:
        task = progress.add_task("evaluating", total=len(examples))
        if arguments.streaming:
            options = RecognizerOptions()
            errors, recognized = evaluate_streaming(
                model,
                metadata,
                examples,
                data.glosses,
                options,
                lambda done: progress.advance(task, done),
            )
        else:
            errors, recognized = evaluate(
                model,
                metadata,
                examples,
                data.glosses,
                arguments.method,
                DecodingOptions(),
                lambda done: progress.advance(task, done),
            )
    print(
        f"{arguments.split}: WER {errors.wer:.3f} (S {errors.substitutions}, D {errors.deletions}, "
        f"I {errors.insertions}), exact {errors.accuracy:.3f} of {errors.sequences} sequences"
    )
    if arguments.json:
        content = json.dumps(report(errors, examples, recognized), indent=1)
        replace_file(arguments.json, content.encode())
    return 0
