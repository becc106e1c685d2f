# SPDX-License-Identifier: MIT
"""Hands of the synthetic signer in front of a pinhole camera, as detections and as images."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from whispersign_model.sensors.detector import CACHES, Detection
from whispersign_model.skeleton import LEFT, RIGHT
from whispersign_model.synthesis.camera import Camera
from whispersign_model.synthesis.sensor import SensorModel
from whispersign_model.synthesis.signer import Signer
from whispersign_model.synthesis.style import SignerStyle

CAMERA = Camera()
VIEW = 2 * math.degrees(math.atan(CAMERA.width / 2 / CAMERA.focal))
RATE = 15.0


@pytest.fixture(scope="session")
def bundle() -> Path:
    """Return the detector's model, or skip the test."""
    path = Path(CACHES[0])
    assert path.is_relative_to(sys.prefix)
    if not path.is_file():
        pytest.skip("no detector model: run tools/hand_landmarker.py")
    return path


@pytest.fixture(scope="session")
def truth():
    """Return a sentence with one-handed and two-handed signs at 15 Hz, without sensor noise."""
    signer = Signer(0, SignerStyle(), sensor=SensorModel.ideal(RATE), naturalness=0)
    return signer.sign_sentence(["HELLO", "OPEN"], start=0, lead=0.1, tail=0.1)


def perfect(joints: np.ndarray, right: bool, camera: Camera = CAMERA) -> Detection:
    """Return the detection of a hand ``(21, 3)`` in the sensor frame by a perfect detector."""
    before = camera.to_camera(joints)
    return Detection(
        right=0.95 if right else 0.05,
        pixels=camera.project(joints),
        depths=(before[:, 2] - before[0, 2]) * camera.focal / before[0, 2],
        world=before - before.mean(axis=0),
    )


def perfect_pair(positions: np.ndarray) -> list[Detection]:
    """Return the perfect detections of a frame ``(42, 3)``, the right hand first."""
    return [perfect(positions[RIGHT], True), perfect(positions[LEFT], False)]
