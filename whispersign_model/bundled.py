# SPDX-License-Identifier: MIT
"""Find the networks that come with the package."""

from pathlib import Path

ASSETS = Path(__file__).parent / "assets"
SUFFIX = "_model"  # ends the name of a network's folder
DEMO = "demo"  # the default network


def bundled(name: str = DEMO) -> Path:
    """Return the folder of a bundled network."""
    return ASSETS / f"{name}{SUFFIX}"


def names() -> tuple[str, ...]:
    """Return the names of the bundled networks, in order."""
    return tuple(sorted(path.name.removesuffix(SUFFIX) for path in ASSETS.glob(f"*{SUFFIX}")))


def find_checkpoint(name: str) -> Path:
    """Return the checkpoint for a name: an existing path, or else a bundled network.

    Any other name is returned as a path, which fails when it is read.
    """
    path = Path(name).expanduser()
    return bundled(name) if name in names() and not path.exists() else path
