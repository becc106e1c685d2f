"""Recordings and archives made of random hands, for the tests of what they are stored in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from whispersign_model.recordings.recording import Recording, Segment
from whispersign_model.skeleton import JOINTS, LEFT

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND + 123_456_789

MakeRecording = Callable[..., Recording]


@pytest.fixture
def make_recording() -> MakeRecording:
    """Return a function that makes a recording of two moving hands, the left lost for a while."""

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
    """Return a function that writes an archive of three sequences; keys replace or remove arrays.

    The first is of one sign, the second a sentence of two with times, the third has no label.
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
