# SPDX-License-Identifier: MIT
"""Find the networks bundled with the package."""

from pathlib import Path

ASSETS = Path(__file__).parent / "assets"
SUFFIX = "_model"  # suffix of a bundled network's folder
DEMO = "demo"  # the default network


def bundled(name: str = DEMO) -> Path:
    """Return the folder of a bundled network."""
    return ASSETS / f"{name}{SUFFIX}"


def names() -> tuple[str, ...]:
    """Return the names of the bundled networks in alphabetical order."""
    return tuple(sorted(path.name.removesuffix(SUFFIX) for path in ASSETS.glob(f"*{SUFFIX}")))


def find_checkpoint(name: str) -> Path:
    """Resolve a checkpoint name: an existing path, or else a bundled network.

    A name that matches nothing is returned as a path, and reading it then fails.
    """
    path = Path(name).expanduser()
    return bundled(name) if name in names() and not path.exists() else path
