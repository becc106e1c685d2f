# SPDX-License-Identifier: MIT
"""Made-up takes of one hand."""

import numpy as np

from whispersign_model.skeleton import JOINTS, MIDDLE_MCP, RIGHT, WRIST

HAND = 0.09


def take(distance: float, frames: int = 48, side: slice = RIGHT):
    """Return one hand that moves evenly along x by a distance in hand lengths."""
    generator = np.random.default_rng(1)
    positions = np.zeros((frames, JOINTS, 3), np.float32)
    positions[:, side] = generator.normal(0, 0.03, (21, 3))
    positions[:, side.start + WRIST] = 0
    positions[:, side.start + MIDDLE_MCP] = (0, HAND, 0)
    positions[:, side, 0] += np.linspace(0, distance * HAND, frames)[:, None]
    confidence = np.zeros((frames, JOINTS), np.float32)
    confidence[:, side] = 1
    return positions, confidence
