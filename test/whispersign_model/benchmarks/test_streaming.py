# SPDX-License-Identifier: MIT
"""The benchmark of live recognition: it measures what it says, and a stream does not grow."""

from pathlib import Path

import numpy as np
import pytest

from whispersign_model.benchmarks import streaming
from whispersign_model.benchmarks.fresh_process import in_fresh_process

BUNDLED = Path(streaming.__file__).parents[1] / "assets" / "demo_model"


class Counter:
    """A backend that counts what it is asked for."""

    def __init__(self):
        self.pushed, self.encoded = [], []

    def stream(self, chunk):
        assert chunk == streaming.CHUNK
        return self

    def push(self, frames):
        self.pushed.append(len(frames))

    def encode(self, features):
        self.encoded.append(len(features))


def test_steps_are_timed_once_the_context_is_full():
    backend = Counter()
    times = streaming.step_times(backend)
    assert len(times) == streaming.STEPS
    assert set(backend.pushed) == {8}
    left_context = 64
    assert (len(backend.pushed) - streaming.STEPS) * streaming.CHUNK >= left_context


def test_windows_are_whole_seconds():
    backend = Counter()
    assert len(streaming.window_times(backend)) == streaming.WINDOWS
    assert set(backend.encoded) == {60}


def test_costs_of_the_bundled_network(monkeypatch):
    monkeypatch.setattr(streaming, "STEPS", 20)
    costs = streaming._costs(BUNDLED, 1)
    assert costs["ms_per_s"] == pytest.approx(7.5 * costs["step_ms_p50"], rel=0.01)
    assert costs["step_ms_p95"] >= costs["step_ms_p50"] > 0
    assert costs["real_time_factor"] == pytest.approx(costs["ms_per_s"] / 1000, abs=1e-5)
    assert 40 < costs["memory_mb"] < 2000


def test_a_stream_does_not_grow():
    minute, ten = in_fresh_process(streaming.memory_after, BUNDLED, (60, 600))
    assert abs(ten - minute) < 2


def test_the_table_has_all_sizes_and_kinds():
    costs = dict.fromkeys(("ms_per_s", "step_ms_p50", "step_ms_p95"), 1.0)
    costs |= {"windowed_ms_per_s": 2.0, "memory_mb": 3.0}
    rows = streaming.table({"tiny": {**costs, "torch_ms_per_s": 4.0, "int8": costs}})
    assert len(rows) == 5
    assert len({row.count("|") for row in rows}) == 1
    assert np.all(["Tiny" in row for row in rows[2:]])
