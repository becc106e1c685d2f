# SPDX-License-Identifier: MIT
"""The pictures of the faults: usual ones can be read, and an odd one is one lost picture."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from reliability import pictures
from reliability.live import BrokenError
from reliability.pictures import HUGE, NODE, TOO_FAST, UNREADABLE, Photographer, png, raw
from whispersign_model.errors import SensorError
from whispersign_ros.conversions.images import read_compressed, read_image


def test_usual_pictures_can_be_read():
    assert read_image(raw(1280, 720)).shape == (720, 1280, 3)
    assert len(raw(1280, 720).data) > 500_000
    assert read_image(raw(640, 480, "yuv422")).shape == (480, 640, 3)
    assert read_compressed(png()).shape[:2] == (48, 64)


def test_odd_pictures_cannot():
    with pytest.raises(SensorError, match="cannot be converted"):
        read_image(raw(641, 480, "yuv422"))
    with pytest.raises(SensorError, match="cannot be decoded"):
        read_compressed(png(HUGE, HUGE))


@pytest.mark.parametrize(("frames", "drops"), [(3, {}), (1, {TOO_FAST: 1, UNREADABLE: 1})])
def test_each_picture_is_read_or_counted(frames, drops):
    graph = SimpleNamespace(spin=lambda seconds: None, drops=lambda: {NODE: drops})
    camera = Photographer(graph, None, 3, [None] * frames)
    camera.check_all()
    camera.sent += 1
    with pytest.raises(BrokenError, match=f"of 4 pictures, {frames} read and {3 - frames} counted"):
        camera.check_all()


def test_without_mediapipe_the_rows_say_so(monkeypatch):
    monkeypatch.setattr(pictures, "find_spec", lambda name: None)
    for scenario in pictures.scenarios():
        assert scenario.play().happened == "not run: MediaPipe is missing"
