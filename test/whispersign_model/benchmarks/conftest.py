# SPDX-License-Identifier: MIT
"""A made-up sign, to make situations from."""

import numpy as np
import pytest

from whispersign_model.recordings.recording import Recording, Segment
from whispersign_model.skeleton import JOINTS, MIDDLE_MCP, RIGHT

SECOND = 1_000_000_000


def signing(frames: int = 60, rate: float = 50.0) -> Recording:
    """Return a right hand of 9 cm that moves to the signer's right, after five frames without."""
    stamps = 7 * SECOND + np.round(np.arange(frames) * SECOND / rate).astype(np.int64)
    positions = np.zeros((frames, JOINTS, 3), np.float32)
    positions[:, RIGHT] = (0.05, 0.3, 0.1)
    positions[:, RIGHT.start + MIDDLE_MCP, 1] += 0.09
    positions[:, RIGHT, 0] += np.linspace(0, 0.4, frames, dtype=np.float32)[:, None]
    confidence = np.zeros((frames, JOINTS), np.float32)
    confidence[5:, RIGHT] = 0.9
    positions *= (confidence > 0)[..., None]
    segment = Segment(("GO",), int(stamps[5]), int(stamps[-1]))
    return Recording(stamps, positions, confidence, (segment,), name="go")


@pytest.fixture(name="signing")
def signing_fixture():
    """Return the function that creates a sign of a number of frames at a rate."""
    return signing
