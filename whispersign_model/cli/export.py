# SPDX-License-Identifier: MIT
"""Export a network to ONNX, for recognition without PyTorch."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from whispersign_model.cli.arguments import checkpoint, not_negative
from whispersign_model.cli.outputs import check_file

if TYPE_CHECKING:
    from whispersign_model.datasets.dataset import Dataset, Example
    from whispersign_model.decoding.backend import Backend
    from whispersign_model.evaluation.metrics import GlossErrors
    from whispersign_model.network.checkpoint import CheckpointMetadata


ALLOWED = 0.01  # largest acceptable increase of the word error rate with 8-bit weights


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``whispersign export``."""
    add = parser.add_argument
    add("checkpoint", type=checkpoint, metavar="CKPT")
    add(
        "--out",
        type=Path,
        required=True,
        metavar="MODEL.onnx",
        help="file to write; recognition finds CKPT/model.onnx",
    )
    add("--int8", action="store_true", help="use 8-bit weights in matrix products")
    add("--data", type=Path, help="dataset for measuring the effect of --int8")
    add(
        "--max-wer-loss",
        type=not_negative,
        metavar="WER",
        help=f"largest increase in word error rate by --int8 on --data (default: {ALLOWED})",
    )


def run(arguments: argparse.Namespace) -> int:
    """Export the network, check the export against it, and install the files."""
    from whispersign_model.datasets.dataset import Dataset
    from whispersign_model.errors import ConfigError
    from whispersign_model.network.checkpoint import read_metadata
    from whispersign_model.network.onnx_file import check_name
    from whispersign_model.temporary import temporary_folder

    path: Path = arguments.checkpoint
    out: Path = arguments.out
    check_name(out)
    if arguments.data and not arguments.int8:
        raise ConfigError("--data", "is for --int8 only", "leave it out")
    if arguments.max_wer_loss is not None and not arguments.data:
        raise ConfigError("--max-wer-loss", "is measured on --data", "give both, or neither")
    metadata = read_metadata(path)
    data = Dataset.open(arguments.data) if arguments.data else None
    check_file(out)
    check_file(_second(out))

    # These import PyTorch and its exporter, which takes seconds.
    from whispersign_model.evaluation.evaluate import check_fit
    from whispersign_model.network.model import WhisperSignModel
    from whispersign_model.runtime.export import export, install, quantise

    if data is not None:
        check_fit(data, metadata)
    model, metadata = WhisperSignModel.load_checkpoint(path)
    with temporary_folder() as folder:
        exact = folder / "exact.onnx"
        parity = export(model, metadata, exact)
        print(
            f"differs from the network by at most {parity.whole:.1e} in whole clips, "
            f"{parity.streams:.1e} in streams, {parity.second:.1e} in the second pass"
        )
        written = exact
        if arguments.int8:
            written = folder / "small.onnx"
            quantise(exact, written, metadata)
            print(f"8-bit weights: {_megabytes(exact)} become {_megabytes(written)}")
            if data is not None:
                _measure(arguments, data, exact, written, metadata)
            else:
                print("their effect on recognition was not measured; --data DATASET measures it")
        install(written, out)
    print(f"wrote {out} and {_second(out).name}, {_megabytes(out)}, for {metadata.model_id}")
    return 0


def _measure(
    arguments: argparse.Namespace,
    data: Dataset,
    exact: Path,
    small: Path,
    metadata: CheckpointMetadata,
) -> None:
    """Print the word error rates of both networks.

    Raises:
        CheckpointError: 8-bit weights raise the word error rate by more than the limit.
        DatasetError: neither val nor test has recordings.
    """
    from whispersign_model.errors import CheckpointError
    from whispersign_model.runtime.onnx_backend import OnnxBackend

    split = "val" if data.splits.get("val") else "test"
    examples = data.split(split)
    before, after = (
        _errors(OnnxBackend(path, "cpu"), metadata, examples, data.glosses)
        for path in (exact, small)
    )
    print(
        f"{split}, {before.sequences} sequences: WER {before.wer:.3f}, "
        f"with 8-bit weights {after.wer:.3f}"
    )
    loss = after.wer - before.wer
    allowed = ALLOWED if arguments.max_wer_loss is None else arguments.max_wer_loss
    if not loss <= allowed:
        raise CheckpointError(
            arguments.out,
            f"was not written: 8-bit weights cost {loss:.3f} WER, {allowed:g} is allowed",
            "export without --int8, or allow more by --max-wer-loss",
        )


def _errors(
    backend: Backend,
    metadata: CheckpointMetadata,
    examples: Sequence[Example],
    glosses: Sequence[str],
) -> GlossErrors:
    """Count a backend's errors on the clips that ``whispersign evaluate`` uses."""
    from whispersign_model.decoding.search import DecodingOptions, decode
    from whispersign_model.evaluation.metrics import GlossErrors
    from whispersign_model.training_data.loader import Clips

    errors, options = GlossErrors(), DecodingOptions().with_alpha(backend.alpha)
    clips = Clips(examples, metadata.recipe, metadata.config.frontend.patch_size, seed=0)
    for number, example in enumerate(examples):
        clip = backend.encode(clips.features(number))
        spans = decode(clip.log_probs, "rescore", options, clip.second_pass).spans
        signed = tuple(glosses[label - 1] for label in example.labels.tolist())
        errors.add(signed, tuple(metadata.glosses[span.gloss_id - 1] for span in spans))
    return errors


def _second(path: Path) -> Path:
    from whispersign_model.network.onnx_file import rescore_file

    return rescore_file(path)


def _megabytes(path: Path) -> str:
    """Return the total size of an exported network's two files, in megabytes."""
    size = sum(file.stat().st_size for file in (path, _second(path)))
    return f"{size / 1e6:.1f} MB"
