# SPDX-License-Identifier: MIT
"""Datasets for tests of the commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def plain_folders(tmp_path: Path) -> Callable[..., Path]:
    """Write a dataset of two glosses as plain folders of features and labels, one per split."""

    def make(*splits: str) -> Path:
        folder = tmp_path / "data"
        generator = np.random.default_rng(0)
        for split in splits:
            for part in ("features", "labels"):
                (folder / split / part).mkdir(parents=True)
            for gloss in (1, 2):
                clip = generator.normal(0, 0.1, (24, 42, 7)).astype(np.float32)
                clip[..., 6] = 1
                np.save(folder / split / "features" / f"{gloss}.npy", clip)
                np.save(folder / split / "labels" / f"{gloss}.npy", np.array([gloss]))
        return folder

    return make
