# SPDX-License-Identifier: MIT
"""The folder of a run: checks before training, and how to resume a stopped run."""

import os
from pathlib import Path

from whispersign_model.errors import CheckpointError, ConfigError
from whispersign_model.network.checkpoint import METADATA

RESUME = "last.ckpt"


def check_folder(out: Path, resume: Path | None) -> None:
    """Reject a folder that holds another run or is not writable.

    Raises:
        ConfigError: the folder cannot be used; the message names it.
        CheckpointError: the training state to resume from is missing or in another folder.
    """
    if resume is not None:
        check_resume(resume, out)
    for name in (RESUME, METADATA):
        if resume is None and (out / name).exists():
            raise ConfigError(
                out,
                f"already holds a run ({name})",
                f"choose another folder, or resume with --resume {out / RESUME}",
            )
    existing = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigError(out, f"cannot be written: {existing} is not a writable folder")


def check_resume(path: Path, out: Path) -> None:
    """Reject a training state that is missing or not in the run's folder.

    Raises:
        CheckpointError: ``path`` is not a file in the folder ``out``.
    """
    if not path.is_file():
        raise CheckpointError(path, "is not a file", f"give a run's {RESUME}")
    if path.absolute().parent.resolve() != out.absolute().resolve():
        raise CheckpointError(
            path, f"is not in the run's folder {out}", f"give --out {path.parent}"
        )


def how_to_resume(out: Path, init: Path | None = None) -> str:
    """Return a hint that tells the user how to resume a stopped run.

    Args:
        out: the run's folder.
        init: the network that the run started from; ``--init`` does not go with ``--resume``.
    """
    if (out / RESUME).exists():
        instead = "" if init is None else " in place of --init"
        return f"resume with: --resume {out / RESUME}{instead}"
    return "no epoch was completed, so there is nothing to resume"
