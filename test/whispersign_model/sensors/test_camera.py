# SPDX-License-Identifier: MIT
"""The camera as a sensor: exact detections give the true hands; a real detector finds them."""

from __future__ import annotations

import numpy as np
import pytest

from whispersign_model.errors import SensorError
from whispersign_model.recordings.recording import Coordinates
from whispersign_model.sensors import camera as module
from whispersign_model.sensors.camera import CameraHands, CameraOptions, CameraSensor
from whispersign_model.sensors.frame_source import Picture
from whispersign_model.skeleton import LEFT, RIGHT
from whispersign_model.synthesis.render import Renderer

from .conftest import CAMERA, VIEW, perfect_pair

ORIGIN = np.array(CAMERA.position)  # the sensor frame of a camera is its own
BLACK = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)


class PerfectDetector:
    """Says of each picture what is true of the frame whose number its first pixel holds."""

    def __init__(self, truth):
        self.truth = truth
        self.mirrored = False

    def __call__(self, options):
        return self

    def detect(self, pixels, stamp):
        column = -1 if self.mirrored else 0
        return perfect_pair(self.truth.positions[int(pixels[0, column, 0])])

    def close(self):
        pass


@pytest.fixture
def detector(monkeypatch, truth):
    detector = PerfectDetector(truth)
    monkeypatch.setattr(module, "HandDetector", detector)
    return detector


def picture(number, column=0):
    pixels = BLACK.copy()
    pixels[0, column, 0] = number
    return Picture(number * 66_000_000, pixels)


def test_hands_are_where_they_are_in_the_frame_of_the_signer(detector, truth):
    hands = CameraHands(CameraOptions(field_of_view=VIEW))
    for number in range(len(truth)):
        seen = hands.look(picture(number))
        np.testing.assert_allclose(seen.positions, truth.positions[number] - ORIGIN, atol=1e-3)
        assert seen.confidence.min() > 0.9


def test_a_calibration_takes_precedence_over_the_field_of_view(detector, truth):
    right = module.Intrinsics.of_view(CAMERA.width, CAMERA.height, VIEW)
    seen = CameraHands(CameraOptions(field_of_view=120.0, calibration=right)).look(picture(20))
    np.testing.assert_allclose(seen.positions, truth.positions[20] - ORIGIN, atol=1e-3)
    wide = CameraHands(CameraOptions(field_of_view=120.0)).look(picture(20))
    assert np.abs(wide.positions - seen.positions).max() > 0.1


def test_a_mirrored_picture_is_turned_round(detector, truth):
    options = CameraOptions(field_of_view=VIEW, mirrored=True)
    hands = CameraHands(options)
    seen = hands.look(picture(20, column=-1))  # the detector finds the mark on the left
    np.testing.assert_allclose(seen.positions, truth.positions[20] - ORIGIN, atol=1e-3)
    assert hands.pixels[0, 0, 0] == 20


def test_image_heights_are_those_of_imported_recordings(detector, truth):
    seen = CameraHands(CameraOptions(coordinates="image_normalised")).look(picture(20))
    pixels = CAMERA.project(truth.positions[20])
    np.testing.assert_allclose(seen.positions[:, :2], pixels / CAMERA.height, atol=1e-6)
    assert seen.positions[0, 2] == seen.positions[21, 2] == 0
    nearer = truth.positions[20, :, 2] < truth.positions[20, 21, 2] - 0.02
    assert (seen.positions[RIGHT, 2][nearer[RIGHT]] < 0).all()
    assert module.COORDINATES["image_normalised"] is Coordinates.IMAGE_NORMALISED


@pytest.mark.xdist_group(
    "detector"
)  # MediaPipe ends a worker that ran the command-line tests before
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_real_detector_finds_rendered_hands(bundle, truth, mirrored, record_property):
    hands = CameraHands(CameraOptions(field_of_view=VIEW, mirrored=mirrored))
    renderer = Renderer()
    named, expected, pixels, lateral, metres = 0, 0, [], [], []
    for stamp, positions in zip(truth.stamps.tolist(), truth.positions):
        drawn = renderer.draw(positions, (True, True))
        seen = hands.look(Picture(stamp, drawn[:, ::-1] if mirrored else drawn))
        for joints, detection in ((LEFT, hands.left), (RIGHT, hands.right)):
            if not CAMERA.sees(positions[joints], margin=5):
                continue
            expected += 1
            pair = [hand for hand in (hands.left, hands.right) if hand is not None]
            true = CAMERA.project(positions[joints])
            errors = [np.linalg.norm(hand.pixels - true, axis=1).mean() for hand in pair]
            if not errors or min(errors) > 40:
                continue
            pixels.append(min(errors))
            if pair[int(np.argmin(errors))] is not detection:
                continue
            named += 1
            away = seen.positions[joints] - (positions[joints] - ORIGIN)
            lateral.append(np.linalg.norm(away[:, :2], axis=1).mean())
            metres.append(np.linalg.norm(away, axis=1).mean())
    hands.close()
    figures = {
        "found": len(pixels) / expected,
        "side_right": named / len(pixels),
        "pixels": float(np.mean(pixels)),
        "centimetres_across": 100 * float(np.mean(lateral)),
        "centimetres": 100 * float(np.median(metres)),
    }
    for name, value in figures.items():
        record_property(name, value)
    print(figures)
    assert expected > 40
    assert figures["found"] >= 0.8
    assert figures["side_right"] >= 0.95
    assert figures["pixels"] < 10
    assert figures["centimetres_across"] < 2.5
    assert figures["centimetres"] < 8


def test_the_detector_is_loaded_once_and_each_opening_is_a_new_stream(monkeypatch, truth):
    loaded, closed = [], []

    class Detector(PerfectDetector):
        def close(self):
            closed.append(self)

    def load(options):
        loaded.append(Detector(truth))
        return loaded[-1]

    class Source:
        host_clock, drops, away = True, {}, True

        def open(self):
            if self.away:
                raise SensorError("camera 0", "cannot be opened")

        def read(self, timeout):
            return picture(20)

        def close(self):
            pass

    monkeypatch.setattr(module, "HandDetector", load)
    source = Source()
    sensor = CameraSensor(source)
    for _ in range(3):
        with pytest.raises(SensorError):
            sensor.open()
        sensor.close()
    source.away = False
    trackers = set()
    for _ in range(2):
        sensor.open()
        assert sensor.read(0.0).hands_tracked == 2
        trackers.add(sensor._hands._handedness)
        sensor.close()
    assert (len(loaded), len(trackers), closed) == (1, 2, [])
    sensor.release()
    assert closed == loaded
