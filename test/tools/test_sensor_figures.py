# SPDX-License-Identifier: MIT
"""The figures of cameras: words are counted right, and costs come from stamps and CPU time."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from whispersign_model.skeleton import LEFT, RIGHT
from whispersign_model.synthesis.camera import Camera

pytest.importorskip("cv2")
pytest.importorskip("whispersign_msgs.msg")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import sensor_figures

from whispersign_ros.graph.monitor import MONITOR


def test_words_are_counted_over_all_videos(tmp_path, monkeypatch, capsys):
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "labels.csv").write_text(
        "recording,glosses,start,end\na,ONE,0,1\na,TWO,1,2\nb,ONE|TWO,,\n"
    )
    said = {"a.mp4": ["ONE", "TWO"], "b.mp4": ["ONE", "NO", "NO"]}

    def run(executable, parameters, topic, heard):
        assert (executable, topic, parameters["source"]) == ("pipeline", "gloss", "camera")
        for gloss in said[Path(parameters["input"]).name]:
            heard(None, SimpleNamespace(gloss=gloss))

    monkeypatch.setattr(sensor_figures, "_run", run)
    figures = sensor_figures.words(tmp_path, "demo")
    assert figures == "2 videos, 4 glosses, 2 errors: WER 0.500, 1 of 2 videos exactly right"
    assert "b: ONE NO NO  (signed: ONE TWO)" in capsys.readouterr().out


def test_costs_are_those_between_the_first_picture_and_the_last(monkeypatch, tmp_path):
    clock = SimpleNamespace(now=100.0, cpu=7.0)
    monkeypatch.setattr(sensor_figures.time, "time", lambda: clock.now)
    monkeypatch.setattr(sensor_figures.time, "monotonic", lambda: clock.now)
    usage = SimpleNamespace(of=lambda pids: SimpleNamespace(processor={"camera_node": clock.cpu}))
    monkeypatch.setattr(sensor_figures, "Usage", usage)
    children = SimpleNamespace(pids={}, running=lambda executable: True)

    def run(executable, parameters, topic, heard):
        assert parameters["wait_for"] == [MONITOR]
        for _ in range(11):
            clock.now += 0.05
            clock.cpu += 0.02
            taken = clock.now - 0.03
            stamp = SimpleNamespace(sec=int(taken), nanosec=round(taken % 1 * 1e9))
            message = SimpleNamespace(header=SimpleNamespace(stamp=stamp))
            heard(children, message)

    monkeypatch.setattr(sensor_figures, "_run", run)
    assert sensor_figures.cost(tmp_path / "v.mp4", {}) == (
        "11 pictures, 20.0 a second, 20.0 ms of CPU each, 40% of one core, "
        "latency p50 30 ms, p95 30 ms"
    )


def test_hands_are_compared_with_the_truth(monkeypatch, tmp_path):
    (tmp_path / "a.mp4").touch()
    shape = np.random.default_rng(0).normal(0, 0.03, (21, 3))
    pair = np.concatenate([shape + (-0.1, 0.29, 0.0), shape + (0.1, 0.29, 0.0)])  # noqa: RUF005
    below = pair - np.array([0.0, 5.0, 0.0])
    truth = [pair, pair, np.concatenate([below[LEFT], pair[RIGHT]]), pair]
    left, right = (Camera().project(pair[joints]) for joints in (LEFT, RIGHT))
    seen = [(left, right), (right, left), (None, right), (left + 3.0, right + 300.0)]

    def record(pictures, options, name, looked):
        for number, (one, other) in enumerate(seen, start=1):
            sensor = SimpleNamespace(
                landmarks=lambda one=one, other=other: {"left": one, "right": other}
            )
            looked(number, sensor)

    monkeypatch.setattr(sensor_figures, "read_bag", lambda bag: SimpleNamespace(positions=truth))
    monkeypatch.setattr(sensor_figures, "record", record)
    assert sensor_figures.hands(tmp_path, tmp_path) == (
        "7 hands in view, 85.7% found, of these 66.7% on the right side, 0.7 pixels off"
    )
