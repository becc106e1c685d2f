# SPDX-License-Identifier: MIT
"""Starting points of a run: its own saved state, or another network."""

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from whispersign_model.datasets.dataset import Dataset, Example
from whispersign_model.errors import CheckpointError, ConfigError
from whispersign_model.features.recipe import Recipe, require_same
from whispersign_model.network.checkpoint import CheckpointMetadata
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.training.config import TrainingConfig
from whispersign_model.training.run_folder import RESUME, check_resume
from whispersign_model.training_data.windows import Spans

PER_GLOSS = ("ctc.", "decoder.embedding.", "decoder.project.")  # weights with a row per gloss
WHOSE = {  # user-facing names for the parts of an identity
    "recipe": "another recipe",
    "glosses": "another vocabulary",
    "data": "another dataset",
    "processes": "another number of processes",
    "stages": "other stages",
}


@dataclass(frozen=True)
class ResumeState:
    """The saved state of a run after an epoch.

    Attributes:
        path: path to the file.
        identity: settings of the run; see :func:`identity_of`.
        stages: numbers of the run's stages.
        stage: number of the interrupted stage, from 1.
        epochs: number of completed epochs in that stage.
        history: records of the completed stages.
        metadata: configuration and preprocessing of the network.
        spans: gloss spans of each training clip, if the network has aligned them.
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
        """Refuse to resume a run whose settings have changed.

        Args:
            identity: settings of the run that is starting.

        Raises:
            CheckpointError: the settings differ; the message names the part that differs.
        """
        for part, whose in WHOSE.items():
            if self.identity[part] != identity[part]:
                raise CheckpointError(
                    self.path,
                    f"belongs to a run with {whose}{self._difference(part, identity)}",
                    f"use the settings of that run, or start a new one with --init "
                    f"{self.path.parent}",
                )

    def require_network(self, config: ModelConfig) -> None:
        """Refuse to resume with a network of another configuration; the vocabulary may differ.

        Raises:
            ConfigError: the saved network has another configuration.
        """
        own = self.metadata.config
        if config.with_vocabulary(len(self.metadata.glosses)) != own:
            raise ConfigError("--model", f"is not the network of {self.path}", "omit --model")

    def _difference(self, part: str, identity: dict[str, str]) -> str:
        """Describe the difference if a few words suffice."""
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
    """Return the settings that a resumed run must share with its first part, as JSON by name.

    ``workers`` may differ, because it does not affect the result. Default values are left out, so
    that keys added in later versions make no difference.
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
        CheckpointError: the file is missing, damaged, not a training state, or not in the folder
            ``out``.
    """
    check_resume(path, out)
    try:
        _check_container(path)
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
    except Exception as error:  # torch.load does not document all of its errors
        raise CheckpointError(
            path, "is damaged or not a training state of this program", f"give a run's {RESUME}"
        ) from error
    return found


def _check_container(path: Path) -> None:
    """Reject a zip file that expands; PyTorch's files are not compressed.

    Raises:
        ValueError: the file expands.
        zipfile.BadZipFile: it is not a zip file.
    """
    with zipfile.ZipFile(path) as container:
        if sum(member.file_size for member in container.infolist()) > path.stat().st_size:
            raise ValueError("it expands")


def initial_model(path: Path, data: Dataset) -> tuple[WhisperSignModel, Recipe]:
    """Load a network to start from, with the dataset's vocabulary; also return its recipe.

    Weights with one row per gloss (in the CTC head, and in the embedding and output of the
    attention decoder) are kept for glosses in both vocabularies and initialized for the others.

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
