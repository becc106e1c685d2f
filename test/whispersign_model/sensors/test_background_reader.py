# SPDX-License-Identifier: MIT
"""A slow reader gets the newest picture, and the count of those it missed."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest

from whispersign_model.errors import SensorError
from whispersign_model.sensors.background_reader import BackgroundReader, LatestValue
from whispersign_model.sensors.frame_source import Picture
from whispersign_model.sensors.sensor import SensorEndError
from whispersign_model.timestamps import NANOSECONDS


def test_the_newest_picture_wins():
    newest = LatestValue()
    for number in (1, 2, 3):
        newest.put(number)
    assert newest.take(1.0) == 3
    assert newest.dropped == 2
    assert newest.take(0.01) is None
    newest.put(4)
    newest.fail(SensorEndError())
    assert newest.take(1.0) == 4
    with pytest.raises(SensorEndError):
        newest.take(1.0)


class Endless:
    """Pictures as fast as they are asked for, until it fails."""

    host_clock = True

    def __init__(self):
        self.drops = Counter()
        self.given, self.error = 0, None

    def open(self):
        self.given = 0

    def read(self, timeout):
        if self.error:
            raise self.error
        self.given += 1
        time.sleep(0.001)
        return Picture(self.given * NANOSECONDS, np.zeros((2, 2, 3), np.uint8))

    def close(self):
        pass


def test_a_slow_reader_gets_new_pictures_and_the_count_of_those_it_missed():
    source = Endless()
    grabbed = BackgroundReader(source)
    grabbed.open()
    seen = []
    for _ in range(3):
        seen.append(grabbed.read(5.0).stamp // NANOSECONDS)
        time.sleep(0.05)
    grabbed.close()
    assert seen == sorted(set(seen))
    missed = grabbed.drops["pictures_too_fast"]
    assert missed in (source.given - len(seen), source.given - len(seen) - 1)  # one waited
    assert missed > 0


def test_what_the_source_raises_reaches_the_reader():
    source = Endless()
    grabbed = BackgroundReader(source)
    grabbed.open()
    assert grabbed.read(5.0) is not None
    source.error = SensorError("camera 0", "delivers no pictures")
    while grabbed._thread.is_alive():
        time.sleep(0.001)
    grabbed._latest.take(0.0)
    with pytest.raises(SensorError, match=r"camera 0: delivers no pictures"):
        grabbed.read(5.0)
    grabbed.close()
