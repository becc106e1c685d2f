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

    They are real recordings of the network's test set, a few of each sign. For a network of made-up
    signs, no file exists at this path.
    """
    return ASSETS / f"{name}{TAKES}" / f"{name}{TAKES}.npz"


def takes_of(model: Path) -> Path | None:
    """Return the archive of takes for the path of a bundled network, or None if there are none."""
    folders = {bundled(name).resolve(): takes(name) for name in names()}
    path = model.resolve()
    archive = folders.get(path) or folders.get(path.parent)  # its folder, or a file in it
    return archive if archive and archive.exists() else None


def find_recordings(name: str) -> Path:
    """Resolve the name of recordings: an existing path, or else bundled takes (``german_takes``).

    Any other name is returned as a path, which fails when it is read.
    """
    bundles = {path.stem: path for path in map(takes, names()) if path.exists()}
    path = Path(name)
    return bundles[name] if name in bundles and not path.exists() else path


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
