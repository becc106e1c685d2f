# SPDX-License-Identifier: MIT
"""The benchmark of the live graph: its figures are of the right frames, and nothing is left out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from whispersign_model.cli import bench
from whispersign_model.cli.main import main
from whispersign_model.decoding.streaming import StreamingRecognizer
from whispersign_model.errors import WhisperSignError
from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.runtime.loading import load_backend
from whispersign_ros.benchmarks import graph
from whispersign_ros.benchmarks.graph import _figures, _key, table
from whispersign_ros.benchmarks.trace import GraphTrace
from whispersign_ros.graph.process_usage import Usage

GRAPH = {"recognition_node", "preprocessing_node", "smoothing_node", "replay_node"}
LATE = 7_000_000  # nanoseconds
LATER = 11_000_000


@pytest.fixture(scope="module")
def traced(model, recipe, recording):
    """Return the trace of a graph that publishes features LATE and results LATER."""
    block = Preprocessor(recipe).process(recording)
    stamps = block.stamps.tolist()
    recognizer = StreamingRecognizer(
        load_backend(model, "cpu"), read_metadata(model).glosses, recipe=read_metadata(model).recipe
    )
    results = [result for result in recognizer.push(block.frames, block.stamps) if result.glosses]
    assert {result.final for result in results} == {False, True}
    return GraphTrace(
        results=[(_key(result), result.stamp + LATER) for result in results],
        features=[
            (index, stamp, stamp + LATE, frame)
            for index, (stamp, frame) in enumerate(zip(stamps, block.frames))
        ],
        received={"preprocessing_node": len(recording) - 2, "recognition_node": len(stamps) - 1},
        begin=Usage({"a": 1.0, "b": 2.0}, {"a": 10.0, "b": 20.0}),
        end=Usage({"a": 1.5, "b": 2.1}, {"a": 11.0, "b": 21.0}),
        measured=2.0,
    )


def test_delays_are_counted_from_the_frame_that_brought_each_result(traced, model, recording):
    figures = _figures(traced, model, recording)
    for percent in (50, 95):
        assert figures[f"partial_ms_p{percent}"] == pytest.approx(11)
        assert figures[f"final_extra_ms_p{percent}"] == pytest.approx(11)
        assert figures[f"features_ms_p{percent}"] == pytest.approx(7)
    assert figures["partials"] + figures["finals"] == len(traced.results)
    assert figures["unmatched"] == 0


def test_processor_memory_and_losses_are_those_of_the_nodes(traced, model, recording):
    figures = _figures(traced, model, recording)
    assert figures["cpu_percent_by_node"] == {"a": 25.0, "b": 5.0}
    assert figures["cpu_percent"] == 30.0
    assert figures["rss_mb"] == {"a": 11.0, "b": 21.0}
    assert (figures["frames"], figures["lost"]) == (len(recording), 2 + 1)


def test_a_result_that_came_and_one_that_did_not_are_told(traced, model, recording):
    (final, utterance, spans), arrival = traced.results[0]
    strange = ((final, utterance + 1000, spans), arrival)
    mixed = replace(traced, results=[strange, *traced.results[1:]])
    figures = _figures(mixed, model, recording)
    assert figures["unmatched"] == 2
    assert figures["partials"] + figures["finals"] == len(traced.results) - 1


@pytest.mark.graph
@pytest.mark.slow
def test_the_real_graph_is_measured(model):
    rounds = []
    figures = graph.measure(model, lambda: rounds.append(1), rates=(30,), sentences=1)
    assert len(rounds) == 2
    apart = figures["30"]
    together = apart["pipeline"]
    assert set(apart["rss_mb"]) == set(apart["cpu_percent_by_node"]) == GRAPH
    assert set(together["rss_mb"]) == {"pipeline"}
    for found in (apart, together):
        assert found["partials"] > 0
        assert found["finals"] > 0
        assert 0 < found["partial_ms_p50"] <= found["partial_ms_p95"]
        assert 0 < found["final_extra_ms_p50"] <= found["final_extra_ms_p95"]
        assert found["cpu_percent"] > 0
        assert min(found["rss_mb"].values()) > 10
        assert found["frames"] > 100
    assert len(table(figures)) == 8


def test_a_time_that_nothing_was_measured_for_is_a_dash():
    none = {f"{w}_ms_p{p}": None for w in ("partial", "final_extra", "features") for p in (50, 95)}
    nodes = dict.fromkeys(GRAPH, 1.0)
    figures = {"cpu_percent": 4.0, "rss_mb": nodes, "lost": 0, "frames": 9, **none}
    lines = table({"60": {**figures, "cpu_percent_by_node": nodes, "pipeline": figures}})
    assert "| 60 | pipeline | -, - ms | -, - ms | -, - ms | 4 % | 4 MB | 0 of 9 |" in lines


def test_usage_is_that_of_the_process():
    begin = Usage.of({"own": os.getpid()})
    until = time.process_time() + 0.1
    held = np.ones(8_000_000)  # too much for memory that was freed before
    while time.process_time() < until:
        pass
    end = Usage.of({"own": os.getpid()})
    assert end.processor["own"] - begin.processor["own"] >= 0.05
    assert end.resident_mb["own"] - begin.resident_mb["own"] > 40
    assert held.any()


def test_a_process_that_has_ended_is_named():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises(WhisperSignError, match=f"/proc/{ended.pid}/stat: cannot be read"):
        Usage.of({"gone": ended.pid})


def test_the_command_writes_the_graph_of_the_model(monkeypatch, tmp_path, capsys):
    asked = []
    measured = SimpleNamespace(
        measure=lambda model, done: asked.append(model) or {"60": {"cpu_percent": 1.0}},
        table=lambda figures: ["the table"],
        ROUNDS=6,
    )
    monkeypatch.setitem(sys.modules, "whispersign_ros.benchmarks.graph", measured)
    out = tmp_path / "out.json"
    assert main(["bench", "--only", "graph", "--model", "m.onnx", "--json", str(out)]) == 0
    assert [str(model) for model in asked] == ["m.onnx"]
    assert json.loads(out.read_text()) == {"graph": {"60": {"cpu_percent": 1.0}}}
    assert "the table" in capsys.readouterr().out


@pytest.mark.parametrize("only", [None, "graph"])
def test_without_ros_the_graph_is_left_out_or_refused(monkeypatch, capsys, only):
    monkeypatch.setitem(sys.modules, "rclpy", None)
    for module in ("benchmarks.graph", "benchmarks.trace", "graph.monitor"):
        monkeypatch.delitem(sys.modules, f"whispersign_ros.{module}", raising=False)
    arguments = SimpleNamespace(only=only, model=None)
    if only:
        with pytest.raises(ModuleNotFoundError):
            bench._elsewhere("graph", arguments)
    else:
        assert bench._elsewhere("graph", arguments) == {}
        assert capsys.readouterr().err.startswith(
            "graph: skipped, because the Python package 'rclpy'"
        )
