# SPDX-License-Identifier: MIT
"""What the helpers of the faults send: spoiled features, forged glosses, frames on a schedule."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from std_msgs.msg import String

from reliability.commands_files import FILES, write_commands
from reliability.intruder import go_message
from reliability.relay import NAN, RECIPE, shift, tampered
from reliability.signer import Sensor, signed
from whispersign_model.recordings.recording import Coordinates, Recording, Segment
from whispersign_msgs.msg import HandFeatures
from whispersign_ros.commands.commands_file import read_commands
from whispersign_ros.conversions.messages import nanoseconds

SECOND = 10**9


def test_features_are_spoiled_as_asked():
    def features():
        message = HandFeatures(recipe_id="ours")
        message.header.stamp.sec = 100
        return message

    assert np.isnan(tampered(features(), NAN).features).all()
    assert tampered(features(), RECIPE).recipe_id != "ours"
    assert nanoseconds(tampered(features(), shift(-2.5)).header.stamp) == 97.5 * SECOND
    assert tampered(features(), "") == features()


def test_a_forged_gloss_has_the_fields_asked_for():
    message = go_message(5 * SECOND, "model@1", 3, confidence=math.nan, final=False)
    assert (message.gloss, message.model_id, message.final) == ("GO", "model@1", False)
    assert nanoseconds(message.end_time) == nanoseconds(message.header.stamp) == 5 * SECOND
    assert math.isnan(message.confidence)


def _take():
    stamps = np.arange(6) * SECOND // 60 + SECOND
    positions = np.ones((6, 42, 3), np.float32)
    segment = Segment(("GO",), int(stamps[1]), int(stamps[4]))
    return Recording(
        stamps,
        positions,
        np.ones((6, 42), np.float32),
        coordinates=Coordinates.METRIC_SENSOR,
        segments=(segment,),
    )


def test_a_signer_shows_empty_hands_until_it_is_asked_and_keeps_its_schedule(tmp_path):
    sensor = Sensor({"GO": _take()}, tmp_path / "signs")
    frames = sensor.frames()
    idle = list(itertools.islice(frames, 3))
    sensor.request(String(data="GO"))
    sign = list(itertools.islice(frames, 6))
    after = next(frames)
    assert not any(frame.left_tracked for _, frame in [*idle, after])
    assert all(frame.left_tracked for _, frame in sign)
    times = [due for due, _ in [*idle, *sign, after]]
    assert np.diff(times) == pytest.approx(1 / 60, abs=1e-6)
    noted = signed((tmp_path / "signs").read_text().split())
    assert noted.gloss == "GO"
    assert (noted.start, noted.end) == pytest.approx((times[4], times[7]))
    assert noted.end_stamp == pytest.approx(nanoseconds(sign[4][1].header.stamp), abs=1000)


def test_stamps_can_lead_the_clock(tmp_path):
    sensor = Sensor({"GO": _take()}, tmp_path / "signs")
    frames = sensor.frames()
    before = nanoseconds(next(frames)[1].header.stamp)
    sensor.request(String(data=f"offset {3600 * SECOND}"))
    ahead = nanoseconds(next(frames)[1].header.stamp) - before
    assert ahead == pytest.approx(3600 * SECOND, abs=SECOND)


def test_the_commands_files_can_be_read(tmp_path):
    paths = write_commands(tmp_path / "commands")
    assert set(paths) == set(FILES)
    for name in ("hold", "arming", "twice", "no_server", "ten_topics"):
        assert read_commands(paths[name]).commands.commands[0].mode == "hold"
