"""A small dataset of movements that three glosses differ in."""

import numpy as np
import pytest


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


@pytest.fixture
def dataset(tmp_path):
    """Folders of features and labels alone, three glosses."""
    folder = tmp_path / "data"
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


@pytest.fixture(name="movement")
def movement_fixture():
    """The function that makes a clip of a gloss."""
    return movement
