# SPDX-License-Identifier: MIT
"""Measure a network's errors on a split of a processed dataset."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from whispersign_model.cli.arguments import checkpoint
from whispersign_model.cli.outputs import check_file, check_folder, write_json
from whispersign_model.cli.progress import progress_bars
from whispersign_model.errors import ConfigError

if TYPE_CHECKING:
    from whispersign_model.datasets.dataset import Dataset, Example
    from whispersign_model.evaluation.report import Evaluation
    from whispersign_model.network.checkpoint import CheckpointMetadata
    from whispersign_model.network.model import WhisperSignModel

SPLITS = ("train", "val", "test")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``whispersign evaluate``."""
    add = parser.add_argument
    add("checkpoint", type=checkpoint, metavar="CKPT")
    add("--data", type=Path, required=True, help="processed dataset")
    add("--split", default="test", choices=SPLITS)
    add(
        "--method",
        choices=("greedy", "beam", "rescore"),
        help="method of the main figures; all three are printed (default: rescore)",
    )
    add(
        "--streaming",
        action="store_true",
        help="also recognize frame by frame with the live recognizer; the main figures are then "
        "its own",
    )
    add(
        "--chunk",
        type=int,
        default=0,
        metavar="N",
        help="patches per chunk, as in streaming (default: 0, the whole clip)",
    )
    add(
        "--interval",
        choices=("sequences", "signers"),
        default="sequences",
        help="unit of resampling for the 95%% interval (default: sequences)",
    )
    add(
        "--calibrate",
        nargs="?",
        const="val",
        choices=SPLITS,
        metavar="SPLIT",
        help="first calibrate confidences on this split (val) and store the scale in CKPT",
    )
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--json", type=Path, metavar="OUT.json", help="write all figures")
    add("--figures", type=Path, metavar="DIR", help="draw confusions.png and reliability.png there")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print the figures."""
    from rich.console import Console

    from whispersign_model.datasets.dataset import Dataset
    from whispersign_model.evaluation.calibration import calibrate
    from whispersign_model.evaluation.evaluate import check_fit
    from whispersign_model.network.checkpoint import read_metadata
    from whispersign_model.network.model import WhisperSignModel
    from whispersign_model.runtime.torch_backend import choose_device

    _check_options(arguments)
    model, metadata = WhisperSignModel.load_checkpoint(arguments.checkpoint)
    device, notice = choose_device(arguments.device)
    if notice:
        print(notice)
    model.to(device)
    data = Dataset.open(arguments.data)
    for warning in data.warnings():
        print(f"warning: {warning}")
    check_fit(data, metadata)
    for warning in _gaps(arguments.split, data.split(arguments.split), metadata):
        print(f"warning: {warning}")
    if arguments.calibrate:
        fitted = data.split(arguments.calibrate)
        fit = calibrate(arguments.checkpoint, fitted, data.glosses, device)
        print(
            f"{arguments.checkpoint}: confidences fitted on {len(fitted)} sequences of "
            f"{arguments.calibrate} ({fit})"
        )
        metadata = read_metadata(arguments.checkpoint)
    evaluation = _evaluate(arguments, model, metadata, data)
    evaluation.show(Console(highlight=False))
    if arguments.figures:
        evaluation.write_figures(arguments.figures)
    write_json(arguments.json, evaluation.report())
    return 0


def _gaps(split: str, examples: Sequence[Example], metadata: CheckpointMetadata) -> list[str]:
    """Return warnings about what the figures of a split cannot show."""
    from whispersign_model.datasets.short_clips import describe_short, split_short
    from whispersign_model.datasets.splits import few_clips

    warnings = few_clips(split, len(examples))
    signed = {label for example in examples for label in example.labels.tolist()}
    lacks, vocabulary = len(metadata.glosses) - len(signed), len(metadata.glosses)
    if vocabulary == 1:
        warnings.append("the vocabulary has one gloss, so no gloss can be taken for another")
    elif lacks > 0:
        text = f"{split} lacks {lacks} of the network's {vocabulary} glosses"
        warnings.append(f"{text}; the figures do not cover them")
    _, short = split_short(examples, metadata.config.frontend.patch_size)
    if short:
        text = f"{len(short)} of {len(examples)} clips of {split} are too short for their glosses"
        warnings.append(f"{text} and count as wrong: {describe_short(short)}")
    return warnings


def _check_options(arguments: argparse.Namespace) -> None:
    """Reject unusable options before the evaluation starts."""
    if arguments.streaming and arguments.method not in (None, "rescore"):
        raise ConfigError(
            f"--method {arguments.method}", "the live recognizer rescores", "leave it out"
        )
    if arguments.streaming and arguments.chunk:
        raise ConfigError(
            "--chunk", "is for whole clips, not for --streaming", "leave one of them out"
        )
    if arguments.chunk < 0:
        raise ConfigError("--chunk", f"{arguments.chunk} is less than 0")
    if arguments.figures:
        import matplotlib  # noqa: F401  (fails before the work if it is missing)
    check_file(arguments.json)
    check_folder(arguments.figures)


def _evaluate(
    arguments: argparse.Namespace,
    model: WhisperSignModel,
    metadata: CheckpointMetadata,
    data: Dataset,
) -> Evaluation:
    """Recognize the split with every method, and also live if requested."""
    from whispersign_model.evaluation.evaluate import Reading, read_live, read_offline
    from whispersign_model.evaluation.report import LIVE, OFFLINE, Evaluation

    examples = data.split(arguments.split)
    readings: dict[str, list[Reading]] = {}
    with progress_bars() as bar:
        whole = bar.add_task("whole clips", total=len(examples))
        offline = read_offline(
            model,
            metadata,
            examples,
            data.glosses,
            advance=partial(bar.advance, whole),
            chunk=arguments.chunk,
        )
        readings.update({str(method): found for method, found in offline.items()})
        if arguments.streaming:
            live = bar.add_task("live", total=len(examples))
            advance = partial(bar.advance, live)
            readings[LIVE] = read_live(model, metadata, examples, data.glosses, advance=advance)
    return Evaluation(
        split=arguments.split,
        readings=readings,
        headline=LIVE if arguments.streaming else arguments.method or OFFLINE,
        scale=metadata.confidence,
        over=arguments.interval,
        chunk=arguments.chunk,
    )
