# SPDX-License-Identifier: MIT
"""The start of a training: from the saved state of its own run, or from another network."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from whispersign_model.datasets.dataset import Dataset, Example
from whispersign_model.errors import CheckpointError, ConfigError
from whispersign_model.features.recipe import Recipe, require_same
from whispersign_model.network.checkpoint import METADATA, CheckpointMetadata
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.training.config import TrainingConfig
from whispersign_model.training_data.windows import Spans

RESUME = "last.ckpt"
PER_GLOSS = ("ctc.", "decoder.embedding.", "decoder.project.")  # weights with one row per gloss
WHOSE = {  # parts of an identity, in the user's words
    "recipe": "another recipe",
    "glosses": "another vocabulary",
    "data": "another dataset",
    "processes": "another number of processes",
    "stages": "other stages",
}


@dataclass(frozen=True)
class ResumeState:
    """The saved state of a training, after an epoch.

    Attributes:
        path: the file.
        identity: see :func:`identity_of`.
        stages: numbers of the training's stages.
        stage: number of the interrupted stage, from 1.
        epochs: number of its completed epochs.
        history: records of the completed stages.
        metadata: shape and preprocessing of the network.
        spans: gloss spans of each training clip, if the network aligned them.
    """

    path: Path
    identity: dict[str, str]
    stages: tuple[int, ...]
    stage: int
    epochs: int
    history: tuple[dict[str, Any], ...]
    metadata: CheckpointMetadata
    spans: list[Spans] | None = None

    def require_same(self, identity: dict[str, str]) -> None:
        """Refuse to resume another training.

        Args:
            identity: identity of the training to resume.

        Raises:
            CheckpointError: the two differ; the message names the part.
        """
        for part, whose in WHOSE.items():
            if self.identity[part] != identity[part]:
                raise CheckpointError(
                    self.path,
                    f"belongs to a training with {whose}{self._difference(part, identity)}",
                    f"give what it had, or start anew with --init {self.path.parent}",
                )

    def _difference(self, part: str, identity: dict[str, str]) -> str:
        """Describe the difference, where a few words suffice."""
        before, now = json.loads(self.identity[part]), json.loads(identity[part])
        if part in ("processes", "stages"):
            return f" ({before}, not {now})"
        if part == "recipe":
            keys = sorted(
                key for key in before.keys() | now.keys() if before.get(key) != now.get(key)
            )
            return f" ({', '.join(keys)} changed)"
        return ""


def identity_of(
    data: Dataset,
    examples: Sequence[Example],
    config: TrainingConfig,
    metadata: CheckpointMetadata,
    processes: int,
    stages: Sequence[int],
) -> dict[str, str]:
    """Return the settings that a training shares with its resumed part, as JSON by name.

    ``workers`` may differ: no result depends on it. Defaults are left out, so that keys added by
    later versions make no difference.
    """
    digest = hashlib.sha256()
    for example in examples:
        about = (example.name, example.signer, example.frames, example.labels.tolist())
        digest.update(json.dumps(about).encode())
    parts = {
        "recipe": config.model_dump(mode="json", exclude={"workers"}, exclude_defaults=True),
        "glosses": data.glosses,
        "data": [digest.hexdigest(), data.recipe.model_dump(mode="json")],
        "processes": processes,
        "stages": list(stages),
        "network": metadata.model_dump(mode="json"),
    }
    return {name: json.dumps(part) for name, part in parts.items()}


def read_resume(path: Path, out: Path) -> ResumeState:
    """Read the training state from a ``last.ckpt``.

    Raises:
        CheckpointError: it is missing, damaged, no training state, or not in folder ``out``.
    """
    if not path.is_file():
        raise CheckpointError(path, "is no file", f"give a run's {RESUME}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        state = content["callbacks"]["Stage"]
        found = ResumeState(
            path,
            dict(state["identity"]),
            tuple(json.loads(state["identity"]["stages"])),
            int(state["record"]["stage"]),
            int(state["record"]["epochs"]),
            tuple(state["history"]),
            CheckpointMetadata.model_validate_json(state["identity"]["network"]),
            state.get("spans"),
        )
    except Exception as error:  # torch.load documents no complete list of errors
        raise CheckpointError(
            path, "is damaged, or no training state of this program", f"give a run's {RESUME}"
        ) from error
    if path.absolute().parent.resolve() != out.absolute().resolve():
        raise CheckpointError(
            path, f"is not in the run's folder {out}", f"give --out {path.parent}"
        )
    return found


def check_folder(out: Path, resume: Path | None) -> None:
    """Refuse a folder that holds another run or is not writable.

    Raises:
        ConfigError: names the folder.
    """
    for name in (RESUME, METADATA):
        if resume is None and (out / name).exists():
            raise ConfigError(
                out,
                f"holds a run already ({name})",
                f"choose another folder, or resume with --resume {out / RESUME}",
            )
    existing = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigError(out, f"cannot be written: {existing} is no writable folder")


def how_to_resume(out: Path) -> str:
    """Return how to resume a run that has stopped, as a hint for the user."""
    if (out / RESUME).exists():
        return f"resume with: --resume {out / RESUME}"
    return "no epoch was done, so there is nothing to resume"


def initial_model(path: Path, data: Dataset) -> tuple[WhisperSignModel, Recipe]:
    """Load a network to start from, with the dataset's vocabulary, and its preprocessing recipe.

    Weights with one row per gloss (CTC head; embedding and output of the attention decoder) are
    kept for the glosses that both know, and new for the others.

    Raises:
        CheckpointError: the network cannot be read.
        RecipeError: the dataset was converted with another recipe.
    """
    trained, metadata = WhisperSignModel.load_checkpoint(path)
    require_same(str(data.path), metadata.recipe.sensor_half(), data.recipe.sensor_half())
    model = WhisperSignModel(metadata.config.with_vocabulary(len(data.glosses)))
    known = [name for name in data.glosses if name in metadata.glosses]
    ours = [0, *(data.glosses.index(name) + 1 for name in known)]
    theirs = [0, *(metadata.glosses.index(name) + 1 for name in known)]
    state = model.state_dict()
    for name, value in trained.state_dict().items():
        if name.startswith(PER_GLOSS):
            state[name][ours] = value[theirs]
        else:
            state[name] = value
    model.load_state_dict(state)
    return model, metadata.recipe
