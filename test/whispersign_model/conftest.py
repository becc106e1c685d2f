# SPDX-License-Identifier: MIT
"""Recordings and archives of random hands; a small dataset and a network trained on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from whispersign_model.cli.main import main
from whispersign_model.recordings.recording import Recording, Segment
from whispersign_model.skeleton import JOINTS, LEFT

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND + 123_456_789

MakeRecording = Callable[..., Recording]


@pytest.fixture
def make_recording() -> MakeRecording:
    """Return a function that creates a recording of two moving hands; the left drops out."""

    def make(frames: int = 90, **fields: Any) -> Recording:
        rng = np.random.default_rng(frames)
        stamps = START + np.arange(frames, dtype=np.int64) * 9_000_001  # about 111 Hz
        confidence = rng.uniform(0.5, 1, (frames, JOINTS)).astype(np.float32)
        confidence[frames // 3 : frames // 2, LEFT] = 0
        path = np.cumsum(rng.normal(0, 1e-3, (frames, 1, 3)), axis=0)
        shape = rng.normal(0, 0.05, (JOINTS, 3))
        positions = np.where(confidence[..., None] > 0, path + shape, 0).astype(np.float32)
        defaults: dict[str, Any] = {
            "segments": (Segment(("HELLO",), START, int(stamps[-1])),) if frames else (),
            "name": "take",
            "signer": "anna",
            "source": "leap",
        }
        return Recording(stamps, positions, confidence, **(defaults | fields))

    return make


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes an archive of three recordings; keys replace or remove arrays.

    The first is a single sign, the second a sentence of two signs with times. The third has no
    label.
    """

    def write(**changes: Any) -> Path:
        rng = np.random.default_rng(0)
        xyz = rng.normal(0, 0.1, (60, JOINTS, 3)).astype(np.float32)
        xyz[5:10, LEFT] = np.nan
        arrays = {
            "xyz": xyz,
            "t": np.concatenate([np.arange(n) / 30 for n in (20, 30, 10)]).astype(np.float32),
            "ptr": np.array([0, 20, 50, 60]),
            "lab": np.array([1, 0, 2], dtype=np.int16),
            "lptr": np.array([0, 1, 3, 3]),
            "classes": np.array(["eat", "hello", "ünlü"]),
            "subject": np.array(["s1", "s2", ""]),
            "split": np.array(["train", "test", ""]),
            "sid": np.array(["a/1", "b 2", "c"]),
            "seg": np.array([[0, 1, 0, 19], [1, 0, 2, 10], [1, 2, 15, 29]], dtype=np.int32),
            "meta": np.array(json.dumps({"sensor": "a sensor", "frames": 60})),
        } | changes
        path = tmp_path / "some archive.npz"
        np.savez_compressed(path, **{key: v for key, v in arrays.items() if v is not None})
        return path

    return write


SHORT = """
size: tiny
batch_size: 8
workers: 0
averaging: 0.9
augmentation: {crop: 0, rotation: 1, shift: 0, hand_shift: 0, stretch: 0, speed: 0.1, warp: 0,
  finger_mask: 0, frame_mask: 0}
stages:
  - {name: frontend, epochs: 1, learning_rate: 1.0e-3, alpha: 1.0, train: [frontend],
     auxiliary: true}
  - {name: joint, epochs: 2, learning_rate: 1.0e-3, alpha: 0.5}
"""


def movement(gloss: int, seed: int, frames: int = 40) -> np.ndarray:
    """Return a right hand in meters; its direction and extended finger determine the gloss."""
    generator = np.random.default_rng(seed)
    hand = np.random.default_rng(0).normal(0, 0.04, (21, 3))
    hand[4 * gloss + 1 : 4 * gloss + 5, 1] += 0.08
    direction = np.array([[0.3, 0, 0], [-0.3, 0, 0], [0, 0.3, 0]])[gloss - 1]
    phase = 1 / (1 + np.exp(-np.linspace(-12, 12, frames)))  # rest, one quick stroke, rest
    path = phase[:, None] * direction + generator.normal(0, 0.01, 3)
    clip = np.zeros((frames, 42, 7), np.float32)
    clip[:, 21:, :3] = hand + path[:, None] + generator.normal(0, 0.001, (frames, 21, 3))
    clip[1:, 21:, 3:6] = np.diff(clip[:, 21:, :3], axis=0) * 60
    clip[:, 21:, 6] = 1
    return clip


def write_dataset(folder: Path) -> Path:
    """Write a dataset of three glosses as folders of features and labels."""
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
    """Return the folder of a dataset of three glosses."""
    return write_dataset(tmp_path / "data")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a read-only folder with ``data``, ``recipe.yaml`` and ``run``, a short training."""
    folder = tmp_path_factory.mktemp("trained")
    write_dataset(folder / "data")
    (folder / "recipe.yaml").write_text(SHORT)
    words = ["--config", folder / "recipe.yaml", "--data", folder / "data", "--out", folder / "run"]
    assert main(["train", "--quiet", *map(str, words)]) == 0
    return folder


@pytest.fixture(name="movement")
def movement_fixture():
    """Return the function that creates a clip of a gloss."""
    return movement
