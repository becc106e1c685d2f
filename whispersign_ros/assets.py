"""What comes with the package: a small model and a short recording for the demonstration."""

from __future__ import annotations

from pathlib import Path

import whispersign_model

_ASSETS = Path(whispersign_model.__file__).parent / "assets"
DEMO_MODEL = _ASSETS / "demo_model"
DEMO_BAG = _ASSETS / "demo_bag"

BUNDLED = "demo"  # as a parameter: the bundled model


def find_model(value: str) -> Path:
    """Return the checkpoint that a parameter names; whether it can be read is not checked."""
    return DEMO_MODEL if value == BUNDLED else Path(value).expanduser()
