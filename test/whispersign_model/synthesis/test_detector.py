# SPDX-License-Identifier: MIT
"""A real hand detector, MediaPipe's, must recognise the hands that the renderer draws."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from whispersign_model.sensors.no_network import run_without_network
from whispersign_model.skeleton import HANDS, LEFT, RIGHT
from whispersign_model.synthesis.render import Renderer
from whispersign_model.synthesis.sensor import SensorModel
from whispersign_model.synthesis.signer import Signer
from whispersign_model.synthesis.style import SignerStyle

BUNDLE = Path(sys.prefix) / "share/whispersign/hand_landmarker.task"
RATE = 15.0  # pictures a second
SENTENCE = ["HELLO", "STOP", "TWO", "THANKS", "OPEN", "GOOD"]
NEAR = 40.0  # pixels: a detection whose mean landmark error is below this is of that hand


@pytest.mark.xdist_group(
    "detector"
)  # MediaPipe ends a worker that ran the command-line tests before
@pytest.mark.skipif(not BUNDLE.exists(), reason="no detector model: run tools/hand_landmarker.py")
def test_mediapipe_finds_the_rendered_hands(record_property) -> None:
    mediapipe = pytest.importorskip("mediapipe")
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.HandLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(BUNDLE)),
        running_mode=vision.RunningMode.VIDEO,
        num_hands=2,
    )
    signer = Signer(0, SignerStyle(), sensor=SensorModel.ideal(RATE), naturalness=0)
    recording = signer.sign_sentence(SENTENCE, lead=0.1, tail=0.1)
    renderer = Renderer()
    width, height = renderer.camera.width, renderer.camera.height
    expected, named, errors = 0, 0, []
    create = vision.HandLandmarker.create_from_options
    with run_without_network(lambda: create(options)) as detector:
        for number, positions in enumerate(recording.positions):
            picture = cv2.cvtColor(renderer.draw(positions, (True, True)), cv2.COLOR_BGR2RGB)
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=picture)
            found = detector.detect_for_video(image, round(number * 1000 / RATE))
            landmarks = [
                np.array([[point.x * width, point.y * height] for point in hand])
                for hand in found.hand_landmarks
            ]
            for name, joints in zip(HANDS, (positions[LEFT], positions[RIGHT])):
                if not renderer.camera.sees(joints, margin=5):
                    continue
                expected += 1
                truth = renderer.camera.project(joints)
                distances = [np.linalg.norm(hand - truth, axis=1).mean() for hand in landmarks]
                if distances and min(distances) < NEAR:
                    errors.append(min(distances))
                    side = found.handedness[int(np.argmin(distances))][0].category_name
                    named += side.lower() == name
    share, error, sides = len(errors) / expected, float(np.mean(errors)), named / len(errors)
    for name, value in (("found", share), ("pixels", error), ("sides", sides)):
        record_property(name, value)
    print(f"found {share:.3f} of {expected} hands, {error:.1f} pixels off, {sides:.3f} sides right")
    assert expected > 80
    assert share >= 0.9
    assert error < 10
    assert sides >= 0.85
