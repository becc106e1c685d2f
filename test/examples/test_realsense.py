# SPDX-License-Identifier: MIT
"""The RealSense example is a frame source that works."""

from __future__ import annotations

import runpy
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from whispersign_model.errors import SensorError
from whispersign_model.sensors.background_reader import BackgroundReader
from whispersign_model.sensors.camera import CameraOptions, CameraSensor

PROGRAM = Path(__file__).parents[2] / "examples/realsense.py"


@pytest.fixture
def device():
    """Return a device that gives a picture every 10 ms by its own clock, until it is unplugged."""
    return SimpleNamespace(there=True, time=5_000.0, running=False)


@pytest.fixture
def realsense(device, monkeypatch):
    """Run the example against a stand-in for the device's bindings, and return its class."""

    class Frame:
        get_timestamp = staticmethod(lambda: device.time)
        get_data = staticmethod(lambda: np.full((48, 64, 3), 7, np.uint8))

    class Pipeline:
        def start(self, config):
            if not device.there:
                raise RuntimeError("No device connected")
            device.running = True
            size = {"width": 64, "height": 48}
            lens = SimpleNamespace(**size, fx=32.0, fy=32.0, ppx=32.0, ppy=24.0)
            video = SimpleNamespace(get_intrinsics=lambda: lens)
            stream = SimpleNamespace(as_video_stream_profile=lambda: video)
            return SimpleNamespace(get_stream=lambda kind: stream)

        def try_wait_for_frames(self, milliseconds):
            if not device.there:
                raise RuntimeError("device disconnected")
            time.sleep(0.01)
            device.time += 10.0
            return True, SimpleNamespace(get_color_frame=Frame)

        def stop(self):
            device.running = False

    config = SimpleNamespace(enable_device=lambda serial: None, enable_stream=lambda *_: None)
    bindings = SimpleNamespace(
        pipeline=Pipeline,
        config=lambda: config,
        stream=SimpleNamespace(color=1),
        format=SimpleNamespace(bgr8=2),
    )
    monkeypatch.setitem(sys.modules, "pyrealsense2", bindings)
    return runpy.run_path(str(PROGRAM))["RealSense"]


def test_its_pictures_come_with_times_of_the_host_and_a_lens(realsense, device):
    pictures = realsense("123")
    before = time.monotonic_ns()
    pictures.open()
    found = [pictures.read(1.0) for _ in range(5)]
    pictures.close()
    stamps = [picture.stamp for picture in found]
    assert before - 50_000_000 < stamps[0] < stamps[-1] <= time.monotonic_ns()
    assert stamps == sorted(set(stamps))
    assert found[0].intrinsics.focal == (32.0, 32.0)
    assert found[0].pixels.shape == (48, 64, 3)
    assert not device.running


def test_hands_are_found_in_them(realsense, one_hand):
    sensor = CameraSensor(BackgroundReader(realsense("123")), CameraOptions())
    sensor.open()
    try:
        observation = None
        while observation is None:
            observation = sensor.read(1.0)
    finally:
        sensor.close()
    assert observation.hands_tracked == 1
    assert observation.positions[21:, 2].mean() == pytest.approx(0.5, abs=0.01)


def test_one_that_is_not_there_or_goes_is_named(realsense, device):
    device.there = False
    with pytest.raises(SensorError, match=r"realsense: cannot be opened \(No device connected\)"):
        realsense("123").open()
    device.there = True
    pictures = realsense("123")
    pictures.open()
    device.there = False
    with pytest.raises(SensorError, match=r"realsense: is not connected \(device disconnected\)"):
        pictures.read(0.1)
