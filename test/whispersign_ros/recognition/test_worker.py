# SPDX-License-Identifier: MIT
"""The thread in which recognition runs, with a recogniser whose pace the test sets."""

from __future__ import annotations

import gc
import threading
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

from whispersign_ros.recognition import worker
from whispersign_ros.recognition.worker import LiveClock, Recognition, RecognitionWorker, Step


class SlowRecognizer:
    """Notes what it is asked for; works only while the gate is open."""

    def __init__(self):
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.calls = []
        self.utterance_id = 0
        self.aligner = SimpleNamespace(out_of_order=0, not_finite=0, filled=0, breaks=0)
        self.aligner.newest = None

    def push(self, frames, stamps):
        assert frames.shape == (len(stamps), 42, 7)
        self.entered.set()
        self.gate.wait()
        self.calls.append(("push", stamps.tolist()))
        self.aligner.newest = stamps.tolist()[-1]
        return [f"partial {stamps[-1]}"]

    def finish(self):
        self.calls.append(("finish",))
        return ["final"]

    def reset(self):
        self.calls.append(("reset",))


class Counter:
    def __init__(self):
        self.drops = 0
        self.failures = []
        self.times = []
        self.losses = []
        self.shown = {}

    def dropped(self, cause, detail="", count=1):
        if cause == "utterances_failed":
            self.failures.append(detail)
        elif cause == "steps_too_late":
            self.drops += 1
        else:
            self.losses.append((cause, count))

    def show(self, key, value):
        self.shown[key] = value

    def timed(self, seconds):
        self.times.append(seconds)


class Rig:
    def __init__(self, capacity=100, max_age=0.0):
        self.recognizer, self.counter, self.results = SlowRecognizer(), Counter(), []
        self.now = 0  # nanoseconds, on the clock of the stamps
        self.worker = RecognitionWorker(
            Recognition(self.recognizer, self.results.append),
            self.counter,
            capacity,
            LiveClock(lambda: self.now, max_age),
        )

    def push(self, *stamps, restarts=False):
        for stamp in stamps:
            self.worker.push(Step(stamp, np.zeros((42, 7), np.float32), restarts))

    def finalize(self):
        self.recognizer.gate.set()
        done = threading.Event()
        while not self.worker.at_rest:
            done.wait(0.01)


@pytest.fixture
def rig():
    rig = Rig()
    yield rig
    rig.recognizer.gate.set()
    rig.worker.stop()


def test_pushing_does_not_wait_for_the_network(rig):
    rig.push(1)
    rig.recognizer.entered.wait()  # it works on the first, and does not come back
    rig.push(2, 3)
    assert rig.recognizer.calls == []
    assert not rig.worker.at_rest
    rig.finalize()
    assert rig.recognizer.calls == [("push", [1]), ("push", [2, 3])]
    assert rig.results == ["partial 1", "partial 3"]
    assert len(rig.counter.times) == 2


def test_a_seam_finishes_what_came_before_it(rig):
    rig.push(1)
    rig.recognizer.entered.wait()
    rig.push(2)
    rig.push(3, restarts=True)
    rig.push(4)
    rig.worker.finish()
    rig.finalize()
    assert rig.recognizer.calls == [
        ("push", [1]),
        ("push", [2]),
        ("finish",),
        ("push", [3, 4]),
        ("finish",),
    ]
    assert rig.results == ["partial 1", "partial 2", "final", "partial 4", "final"]


def test_too_many_waiting_steps_are_dropped_and_counted_but_no_seam_is_lost():
    rig = Rig(capacity=2)
    rig.push(1)
    rig.recognizer.entered.wait()
    rig.push(2, 3)
    rig.push(4, restarts=True)
    rig.push(5)
    assert rig.counter.drops == 2
    rig.finalize()
    rig.push(6)
    rig.finalize()
    assert rig.recognizer.calls[1:] == [("push", [2, 3]), ("finish",), ("push", [6])]
    rig.worker.stop()


def test_stop_forgets_what_waits(rig):
    rig.push(1)
    rig.recognizer.entered.wait()
    rig.push(2, 3)
    threading.Timer(0.1, rig.recognizer.gate.set).start()
    rig.worker.stop()
    assert rig.recognizer.calls == [("push", [1])]
    assert rig.results == []


def test_an_error_of_the_runtime_costs_one_utterance_only(rig):
    rig.push(float("nan"))  # cannot become an integer stamp: the work on it raises
    rig.finalize()
    assert len(rig.counter.failures) == 1
    assert rig.recognizer.calls == [("reset",)]
    rig.push(2)
    rig.finalize()
    assert rig.results == ["partial 2"]


def test_a_recogniser_that_fails_is_at_fault_until_it_has_worked_for_a_while(rig, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(worker.time, "monotonic", lambda: clock.now)
    rig.recognizer.push = None
    rig.push(1)
    rig.finalize()
    assert rig.worker.fault.startswith("TypeError: ")
    del rig.recognizer.push
    for clock.now in (0.1, 0.9):  # the network may not have run for these steps
        rig.push(2)
        rig.finalize()
        assert rig.worker.fault.startswith("TypeError: ")
    clock.now = worker.FAULT_TIME
    rig.push(3)
    rig.finalize()
    assert rig.worker.fault == ""


def test_a_recogniser_that_hangs_is_at_fault(rig, monkeypatch):
    rig.push(1)
    rig.recognizer.entered.wait()
    assert rig.worker.fault == ""
    with monkeypatch.context() as patch:
        patch.setattr(worker, "BEHIND", -1.0)
        assert rig.worker.fault == "recognition is 0.0 s behind"
    rig.finalize()
    assert rig.worker.fault == ""


def test_the_end_of_a_stream_long_after_its_last_step_is_not_behind(rig, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(worker.time, "monotonic", lambda: clock.now)
    rig.push(1)
    rig.finalize()
    clock.now = 100.0
    faults = []
    rig.recognizer.finish = lambda: faults.append(rig.worker.fault) or []
    rig.worker.finish()
    rig.finalize()
    assert faults == [""]


def test_another_recogniser_goes_on_after_what_waited(rig):
    rig.push(1)
    rig.recognizer.entered.wait()
    rig.push(2)
    other, results = SlowRecognizer(), []
    rig.worker.switch(Recognition(other, results.append))
    rig.push(3)
    rig.recognizer.utterance_id = 5
    other.gate.set()
    rig.finalize()
    assert rig.recognizer.calls == [("push", [1]), ("push", [2]), ("finish",)]
    assert rig.results == ["partial 1", "partial 2", "final"]
    assert other.calls == [("push", [3])]
    assert results == ["partial 3"]
    assert other.utterance_id == 5  # ids are never given twice


def test_a_recogniser_that_is_replaced_is_freed(rig):
    freed = weakref.ref(rig.recognizer)
    other = SlowRecognizer()
    other.gate.set()
    rig.worker.switch(Recognition(other, lambda result: None))
    rig.finalize()
    rig.recognizer = other
    gc.collect()
    assert freed() is None


def test_what_the_recogniser_lost_is_told_once(rig):
    rig.recognizer.aligner = SimpleNamespace(out_of_order=1, not_finite=2, filled=3, breaks=0)
    rig.push(1)
    rig.finalize()
    rig.recognizer.aligner.not_finite = 6
    rig.push(2)
    rig.finalize()
    assert rig.counter.losses == [
        ("steps_out_of_order", 1),
        ("steps_not_finite", 2),
        ("steps_not_finite", 4),
    ]
    assert rig.counter.shown["steps_filled_in"] == 3


S = 1_000_000_000  # nanoseconds


@pytest.fixture
def live():
    rig = Rig(max_age=0.4)
    yield rig
    rig.recognizer.gate.set()
    rig.worker.stop()


def test_steps_that_waited_too_long_are_skipped_and_a_new_stream_begins(live):
    live.push(0)
    live.recognizer.entered.wait()  # the network is slow
    live.push(S // 10, S // 5, S)
    live.now = S
    live.finalize()  # 1 s old, although the last one is new: the worker skips to the newest
    live.now = S + S // 50
    live.push(S + S // 60)
    live.finalize()
    assert live.recognizer.calls == [("push", [0]), ("finish",), ("push", [S + S // 60])]
    assert live.counter.losses == [("steps_too_old", 3)]
    assert live.counter.shown["stream"] == 1


def test_a_recording_keeps_steps_that_waited(rig):
    rig.push(0)
    rig.recognizer.entered.wait()
    rig.push(S // 10, S // 5)
    rig.now = 100 * S
    rig.finalize()
    assert rig.recognizer.calls == [("push", [0]), ("push", [S // 10, S // 5])]
    assert rig.counter.losses == []


def test_live_recognition_is_behind_by_the_age_of_its_steps(live):
    live.push(0)
    live.recognizer.entered.wait()
    live.now = 4 * S // 10
    assert live.worker.fault == ""
    live.now = S // 2
    assert live.worker.fault == "recognition is 0.5 s behind"
    live.finalize()
    assert live.worker.fault == ""


def test_a_step_of_the_future_hides_no_hanging_network(live, monkeypatch):
    live.push(100 * S)
    live.recognizer.entered.wait()
    later = worker.time.monotonic() + 2.0
    monkeypatch.setattr(worker.time, "monotonic", lambda: later)
    assert live.worker.fault == "recognition is 2.0 s behind"


def test_what_is_recognized_is_shown_after_its_results_are_published(rig):
    shown = []
    rig.recognizer.gate.set()
    rig.worker._recognition = Recognition(
        rig.recognizer, lambda result: shown.append(rig.counter.shown.get("recognized_until"))
    )
    rig.push(5)
    rig.finalize()
    rig.push(7)
    rig.finalize()
    assert shown == [None, 5]
    assert rig.counter.shown["recognized_until"] == 7


def test_what_fails_is_not_recognized(rig):
    rig.push(5)
    rig.finalize()
    rig.recognizer.push = None
    rig.push(6)
    rig.finalize()
    assert rig.counter.shown["recognized_until"] == 5
    assert rig.counter.shown["stream"] == 1  # the failure began another stream


def test_streams_are_counted(rig):
    rig.push(1)
    rig.finalize()
    assert rig.counter.shown["stream"] == 0
    rig.push(2, restarts=True)
    rig.finalize()
    assert rig.counter.shown["stream"] == 1
    rig.recognizer.aligner.breaks = 2  # gaps within the steps
    rig.push(3)
    rig.finalize()
    assert rig.counter.shown["stream"] == 3
    rig.worker.finish()
    rig.finalize()
    assert rig.counter.shown["stream"] == 4
    other = SlowRecognizer()
    other.gate.set()
    rig.worker.switch(Recognition(other, rig.results.append))
    rig.push(4)
    rig.finalize()
    assert rig.counter.shown["stream"] == rig.worker.stream == 5


def test_a_discarded_utterance_has_no_result(rig):
    rig.push(1)
    rig.recognizer.entered.wait()
    rig.worker.discard()
    rig.push(2)
    rig.finalize()
    assert rig.recognizer.calls == [("push", [1]), ("reset",), ("push", [2])]
    assert rig.results == ["partial 1", "partial 2"]
    assert rig.counter.shown["stream"] == 1


def test_another_recogniser_is_announced_after_the_last_result_of_the_one_before(rig):
    rig.push(1)
    rig.recognizer.entered.wait()
    rig.push(2)
    other = SlowRecognizer()
    other.gate.set()
    rig.worker.switch(
        Recognition(other, rig.results.append, lambda: rig.results.append("announced"))
    )
    rig.push(3)
    assert rig.results == []
    rig.finalize()
    assert rig.results == ["partial 1", "partial 2", "final", "announced", "partial 3"]
