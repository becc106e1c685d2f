# SPDX-License-Identifier: MIT
"""Find the networks and recordings bundled with the package."""

from pathlib import Path

from whispersign_model.errors import CheckpointError

ASSETS = Path(__file__).parent / "assets"
SUFFIX = "_model"  # ends the name of a network's folder
TAKES = "_takes"  # ends the name of a folder of recordings, and of the archive in it
DEMO = "demo"  # the default network


def bundled(name: str = DEMO) -> Path:
    """Return the folder of a bundled network."""
    return ASSETS / f"{name}{SUFFIX}"


def names() -> tuple[str, ...]:
    """Return the names of the bundled networks in alphabetical order."""
    return tuple(sorted(path.name.removesuffix(SUFFIX) for path in ASSETS.glob(f"*{SUFFIX}")))


def takes(name: str) -> Path:
    """Return the archive of a bundled network's recordings, which never trained it.

    They are real recordings of the network's test set, a few of each sign. Networks that learned
    made-up signs have none; then no file exists at this path.
    """
    return ASSETS / f"{name}{TAKES}" / f"{name}{TAKES}.npz"


def find_checkpoint(name: str) -> Path:
    """Resolve a checkpoint name: an existing path, or else a bundled network.

    Any other name is returned as a path, which fails when it is read.

    Raises:
        CheckpointError: the name cannot be a path, because it is too long, for instance.
    """
    try:
        path = Path(name).expanduser()
        return bundled(name) if not path.exists() and name in names() else path
    except (OSError, RuntimeError, ValueError) as error:
        fault = getattr(error, "strerror", None) or str(error)
        raise CheckpointError(name, f"is not a usable path: {fault}", "correct it") from error
