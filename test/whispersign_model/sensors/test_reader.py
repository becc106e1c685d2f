# SPDX-License-Identifier: MIT
"""The reader's thread: streams, losses, silence, retry and the end."""

from __future__ import annotations

import threading
import time

import numpy as np

from whispersign_model.errors import SensorError
from whispersign_model.recordings.recording import Coordinates
from whispersign_model.sensors.reader import Reader, RetryPolicy
from whispersign_model.sensors.sensor import Observation, SensorEndError

QUICK = RetryPolicy(first=0.001, longest=0.004, silence=0.02)
NOTHING = Observation(0, np.zeros((42, 3), np.float32), np.zeros(42, np.float32))


class Scripted:
    """A sensor that does what it is told: each opening a list of what ``read`` gives."""

    source, coordinates, host_clock = "scripted", Coordinates.METRIC_SENSOR, True

    def __init__(self, *openings):
        self.openings = list(openings)
        self.opened_at, self.now, self.closed = [], [], 0

    def open(self):
        self.opened_at.append(time.monotonic())
        self.now = list(self.openings.pop(0))
        if self.now and self.now[0] == "absent":
            raise SensorError("scripted", "is not there")

    def read(self, timeout):
        event = self.now.pop(0) if self.now else SensorEndError()
        if isinstance(event, Exception):
            raise event
        if event is None:
            time.sleep(0.01)
        return event

    def close(self):
        self.closed += 1

    def drops(self):
        return {}

    def values(self):
        return {}


class ReaderCallbacks:
    def __init__(self):
        self.heard, self.over = [], threading.Event()

    def observed(self, observation):
        self.heard.append("observed")

    def opened(self):
        self.heard.append("opened")

    def lost(self, error):
        self.heard.append(str(error))

    def ended(self):
        self.heard.append("ended")
        self.over.set()


def run(*openings):
    sensor, callbacks = Scripted(*openings), ReaderCallbacks()
    reader = Reader(sensor, callbacks, QUICK)
    reader.start()
    assert callbacks.over.wait(60)
    reader.stop()
    return sensor, callbacks.heard


def test_a_sensor_is_read_to_its_end():
    sensor, heard = run([NOTHING, None, NOTHING])
    assert heard == ["opened", "observed", "observed", "ended"]
    assert sensor.closed == 1


def test_an_absent_sensor_is_tried_again():
    sensor, heard = run(["absent"], ["absent"], [NOTHING])
    assert heard == ["scripted: is not there"] * 2 + ["opened", "observed", "ended"]
    assert sensor.closed == 3


def test_a_lost_sensor_is_opened_again_as_a_new_stream():
    gone = SensorError("scripted", "is gone")
    _, heard = run([NOTHING, gone], [NOTHING])
    assert heard == ["opened", "observed", "scripted: is gone", "opened", "observed", "ended"]


def test_whatever_a_driver_raises_is_said_in_one_line():
    _, heard = run([ZeroDivisionError("oops")], [NOTHING])
    assert heard[1] == "scripted: failed with ZeroDivisionError: oops"


def test_silence_is_said_once_and_nothing_is_invented():
    _, heard = run([NOTHING, *[None] * 8, NOTHING])
    assert heard[:2] == ["opened", "observed"]
    assert heard[2].startswith("scripted: is connected but has sent nothing for 0.02 s")
    assert heard[3:] == ["observed", "ended"]


def test_patience_grows_and_is_forgotten_after_success():
    waits = []
    sensor, callbacks = (
        Scripted(*[["absent"]] * 4, [NOTHING, SensorError("s", "gone")], []),
        ReaderCallbacks(),
    )
    reader = Reader(sensor, callbacks, RetryPolicy(first=0.5, longest=2.0))
    reader._stop.wait = lambda seconds: waits.append(seconds)
    reader.start()
    assert callbacks.over.wait(60)
    assert waits == [0.5, 1.0, 2.0, 2.0, 0.5]


def test_stop_closes_the_sensor():
    sensor, callbacks = Scripted([None] * 100_000), ReaderCallbacks()
    reader = Reader(sensor, callbacks, QUICK)
    reader.start()
    while not callbacks.heard:
        time.sleep(0.001)
    reader.stop()
    assert sensor.closed == 1
    assert "ended" not in callbacks.heard


def test_a_driver_that_cannot_close_is_opened_again_all_the_same():
    class Stuck(Scripted):
        def close(self):
            super().close()
            if self.closed == 1:
                raise OSError("stuck")

    sensor, callbacks = Stuck([SensorError("s", "gone")], [NOTHING]), ReaderCallbacks()
    reader = Reader(sensor, callbacks, QUICK)
    reader.start()
    assert callbacks.over.wait(60)
    assert "scripted: cannot be closed: OSError: stuck" in callbacks.heard
    assert callbacks.heard[-2:] == ["observed", "ended"]
