"""A small dataset of movements that three glosses differ in, and a network trained on it."""

from pathlib import Path

import numpy as np
import pytest

from whispersign_model.cli.main import main

SHORT = """
size: tiny
batch_size: 8
workers: 0
averaging: 0.9
augmentation: {crop: 0, rotation: 1, shift: 0, hand_shift: 0, stretch: 0, speed: 0.1, warp: 0,
  finger_mask: 0, frame_mask: 0}
stages:
  - {name: frontend, epochs: 1, rate: 1.0e-3, alpha: 1.0, train: [frontend], auxiliary: true}
  - {name: joint, epochs: 2, rate: 1.0e-3, alpha: 0.5}
"""


def movement(gloss: int, seed: int, frames: int = 40) -> np.ndarray:
    """A right hand in metres whose direction of movement and stretched finger are the gloss."""
    generator = np.random.default_rng(seed)
    hand = np.random.default_rng(0).normal(0, 0.04, (21, 3))
    hand[4 * gloss + 1 : 4 * gloss + 5, 1] += 0.08
    direction = np.array([[0.3, 0, 0], [-0.3, 0, 0], [0, 0.3, 0]])[gloss - 1]
    phase = 1 / (1 + np.exp(-np.linspace(-12, 12, frames)))  # at rest, one quick stroke, at rest
    path = phase[:, None] * direction + generator.normal(0, 0.01, 3)
    clip = np.zeros((frames, 42, 7), np.float32)
    clip[:, 21:, :3] = hand + path[:, None] + generator.normal(0, 0.001, (frames, 21, 3))
    clip[1:, 21:, 3:6] = np.diff(clip[:, 21:, :3], axis=0) * 60
    clip[:, 21:, 6] = 1
    return clip


def write_dataset(folder: Path) -> Path:
    """Write folders of features and labels alone, three glosses."""
    for split, takes in (("train", 8), ("val", 2), ("test", 2)):
        for part in ("features", "labels"):
            (folder / split / part).mkdir(parents=True)
        for take in range(takes):
            for gloss in (1, 2, 3):
                name = f"{gloss}-{take}.npy"
                seed = take + 100 * len(split)
                np.save(folder / split / "features" / name, movement(gloss, seed, 36 + take))
                np.save(folder / split / "labels" / name, np.array([gloss]))
    return folder


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """The folder of a dataset of three glosses."""
    return write_dataset(tmp_path / "data")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``data``, ``recipe.yaml`` and ``run``, a short training; to be left alone."""
    folder = tmp_path_factory.mktemp("trained")
    write_dataset(folder / "data")
    (folder / "recipe.yaml").write_text(SHORT)
    words = ["--config", folder / "recipe.yaml", "--data", folder / "data", "--out", folder / "run"]
    assert main(["train", "--quiet", *map(str, words)]) == 0
    return folder


@pytest.fixture(name="movement")
def movement_fixture():
    """The function that makes a clip of a gloss."""
    return movement
