# SPDX-License-Identifier: MIT
"""Pictures of a camera, with the times of its driver."""

from __future__ import annotations

import time

import cv2
import pytest

from whispersign_model.errors import SensorError
from whispersign_model.sensors import picture_device as module
from whispersign_model.sensors.picture_device import Device

from .capture import Capture


def test_a_driver_stamps_its_pictures(monkeypatch):
    now = time.monotonic_ns()
    capture = Capture([(now - 20_000_000) / 1e6, (now - 10_000_000) / 1e6])
    monkeypatch.setattr(module.cv2, "VideoCapture", lambda *_: capture)
    device = Device("0")
    device.open()
    stamps = [device.read(1.0).stamp for _ in range(2)]
    assert stamps == pytest.approx([now - 20_000_000, now - 10_000_000], abs=1000)
    assert capture.settings[cv2.CAP_PROP_FRAME_WIDTH] == 1280
    with pytest.raises(SensorError, match=r"camera 0: delivers no pictures"):
        device.read(1.0)
    assert not device.drops


def test_a_driver_without_stamps_is_counted(monkeypatch):
    capture = Capture([0.0, 0.0])
    monkeypatch.setattr(module.cv2, "VideoCapture", lambda *_: capture)
    device = Device("0")
    device.open()
    before = time.monotonic_ns()
    assert before <= device.read(1.0).stamp < device.read(1.0).stamp
    assert device.drops == {"pictures_without_stamp": 2}


def test_a_device_that_is_not_there():
    with pytest.raises(SensorError, match=r"/dev/v4l/by-id/nosuch: there is no such device"):
        Device("/dev/v4l/by-id/nosuch").open()
