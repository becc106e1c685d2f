# SPDX-License-Identifier: MIT
"""The networks that come with the package, by name."""

from pathlib import Path

ASSETS = Path(__file__).parent / "assets"
SUFFIX = "_model"  # of the folder, behind the network's name
DEMO = "demo"  # what is taken where none is named


def bundled(name: str = DEMO) -> Path:
    """Return the folder of a bundled network."""
    return ASSETS / f"{name}{SUFFIX}"


def names() -> tuple[str, ...]:
    """Return the names of the bundled networks, in order."""
    return tuple(sorted(path.name.removesuffix(SUFFIX) for path in ASSETS.glob(f"*{SUFFIX}")))


def find_checkpoint(name: str) -> Path:
    """Return the checkpoint that a text names: a path that exists, or else a bundled network.

    What is neither comes back as a path, for whoever reads it to refuse.
    """
    path = Path(name).expanduser()
    return bundled(name) if name in names() and not path.exists() else path
