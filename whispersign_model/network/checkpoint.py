# SPDX-License-Identifier: MIT
"""Checkpoints: folders with ``model.safetensors`` and ``model.json``.

This module reads the *metadata* of a checkpoint, which does not need torch.
:class:`~whispersign_model.network.model.WhisperSignModel` loads the weights.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from whispersign_model import bundled
from whispersign_model.configuration import Glosses, Name, StrictModel, describe
from whispersign_model.decoding.confidence import ConfidenceScale
from whispersign_model.errors import CheckpointError
from whispersign_model.features.recipe import Recipe
from whispersign_model.files import MEGABYTE, parse_json, read_bytes, require_file
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.onnx_file import RESCORE_SUFFIX, SUFFIX, read_onnx_file
from whispersign_model.recordings.atomic import replace_file

if TYPE_CHECKING:
    from torch import Tensor

FORMAT_VERSION = 1
WEIGHTS = "model.safetensors"
METADATA = "model.json"
METADATA_BYTES = 16 * MEGABYTE
WEIGHTS_BYTES = 1024 * MEGABYTE  # five times the largest network of config/model


class CheckpointMetadata(StrictModel):
    """The content of ``model.json``.

    Attributes:
        format_version: version of the file format; newer versions are rejected.
        name: readable name, such as "demo-tiny".
        config: configuration of the network.
        glosses: gloss ``i`` has id ``i + 1``; id 0 is the CTC blank.
        language: BCP 47 tag of the sign language; "" if unknown.
        recipe: the fitted preprocessing recipe that the network was trained with.
        epoch: number of epochs trained, over all stages.
        losses, metrics: values by name, at the time of saving.
        confidence: calibration that matches confidences to the share of correct glosses.
        weights_sha256: SHA-256 of the weights file that belongs to this metadata.
    """

    format_version: int = FORMAT_VERSION
    name: Name = "whispersign"
    config: ModelConfig
    glosses: Glosses = Field(min_length=1)
    language: Name = ""
    recipe: Recipe
    epoch: int = 0
    losses: dict[str, float] = Field(default={})
    metrics: dict[str, float] = Field(default={})
    confidence: ConfidenceScale = ConfidenceScale()
    weights_sha256: str = ""

    @property
    def model_id(self) -> str:
        """The name and a fingerprint, such as ``demo-tiny@3f2a9c1b``."""
        return f"{self.name}@{self.weights_sha256[:8]}"


def checkpoint_files(path: Path) -> tuple[Path, Path]:
    """Return the weights and metadata files of a checkpoint, given its folder or weights file.

    Raises:
        CheckpointError: a file is missing or not a regular file.
    """
    folder = path if path.is_dir() else path.parent
    weights = folder / WEIGHTS if path.is_dir() else path
    metadata = folder / METADATA
    if not path.exists():
        names = " or ".join(bundled.names())
        raise CheckpointError(path, "does not exist", f"give a folder with {WEIGHTS}, or {names}")
    for file in (weights, metadata):
        if not file.exists():
            raise CheckpointError(
                path, f"is no checkpoint: {file.name} is missing", f"it needs {WEIGHTS}, {METADATA}"
            )
        require_file(file, CheckpointError)
    return weights, metadata


def read_metadata(path: Path) -> CheckpointMetadata:
    """Read and check the metadata of a checkpoint or of an exported network (``.onnx``).

    Raises:
        CheckpointError: the file is missing or damaged, has another version, or does not match the
            weights beside it.
    """
    if path.suffix == SUFFIX:
        about = read_onnx_file(path).about
        if not about:
            name = path.name.removesuffix(RESCORE_SUFFIX) + SUFFIX
            raise CheckpointError(path, "holds the second pass of a network only", f"give {name}")
        return _metadata(path, about)
    weights, file = checkpoint_files(path)
    try:
        metadata = _metadata(file, read_bytes(file, CheckpointError, METADATA_BYTES).decode())
    except UnicodeError as error:
        raise CheckpointError(file, f"is damaged ({error})", "train or export it again") from error
    if sha256(weights) != metadata.weights_sha256:
        raise CheckpointError(
            weights,
            f"is damaged, or does not belong to the {METADATA} beside it",
            "copy both again",
        )
    return metadata


def read_trainable_metadata(path: Path) -> CheckpointMetadata:
    """Read and check the metadata of a checkpoint whose weights can be loaded.

    Raises:
        CheckpointError: as in ``read_metadata``, or the network has been exported.
    """
    if path.suffix == SUFFIX:
        raise CheckpointError(path, "has been exported already", "give the checkpoint")
    return read_metadata(path)


def _metadata(file: Path, text: str) -> CheckpointMetadata:
    """Parse and check the text of a ``model.json``; ``file`` names its source in errors."""
    try:
        content: Any = parse_json(text)
    except ValueError as error:
        raise CheckpointError(file, f"is damaged ({error})", "train or export it again") from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        newer = isinstance(version, int) and version > FORMAT_VERSION
        raise CheckpointError(
            file,
            f"has format version {version}, this program reads {FORMAT_VERSION}",
            "update whispersign" if newer else "train or export it again",
        )
    try:
        metadata = CheckpointMetadata.model_validate(content)
    except ValidationError as error:
        raise CheckpointError(file, describe(error), "train or export it again") from error
    if metadata.config.decoder.vocab_size != len(metadata.glosses) + 1:
        raise CheckpointError(
            file,
            f"names {len(metadata.glosses)} glosses for a network of "
            f"{metadata.config.decoder.vocab_size - 1}",
            "train or export it again",
        )
    return metadata


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits.

    Raises:
        CheckpointError: the file cannot be read.
    """
    digest = hashlib.sha256()
    require_file(path, CheckpointError)
    try:
        if path.stat().st_size > WEIGHTS_BYTES:
            fault = f"is larger than {WEIGHTS_BYTES // MEGABYTE} MB"
            raise CheckpointError(path, fault, "check that it is a network of WhisperSign")
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise CheckpointError(path, f"cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def write_checkpoint(
    path: Path, state: dict[str, Tensor], metadata: CheckpointMetadata
) -> CheckpointMetadata:
    """Write both files, each atomically; reading later detects a crash between the two writes.

    Returns:
        the metadata as written, including the digest of the weights.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    from safetensors.torch import save

    data = save(state)
    complete = metadata.model_copy(update={"weights_sha256": hashlib.sha256(data).hexdigest()})
    try:
        path.mkdir(parents=True, exist_ok=True)
        replace_file(path / WEIGHTS, data)
        replace_file(path / METADATA, complete.model_dump_json(indent=1).encode())
    except OSError as error:
        raise CheckpointError(path, f"cannot be written ({error.strerror})") from error
    return complete


def update_metadata(path: Path, metadata: CheckpointMetadata) -> None:
    """Replace a checkpoint's metadata and keep its weights.

    Raises:
        CheckpointError: ``path`` is not a checkpoint or cannot be written.
    """
    file = checkpoint_files(path)[1]
    try:
        replace_file(file, metadata.model_dump_json(indent=1).encode())
    except OSError as error:
        raise CheckpointError(file, f"cannot be written ({error.strerror or error})") from error
