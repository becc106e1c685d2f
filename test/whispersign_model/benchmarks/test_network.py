# SPDX-License-Identifier: MIT
"""The benchmark of the network: counts, and that it measures what it says."""

import json
from pathlib import Path

import pytest
import torch

from whispersign_model.benchmarks import network
from whispersign_model.cli.main import main
from whispersign_model.network.config import SIZES


def test_parameters_fit_the_published_sizes(tmp_path, capsys):
    out = tmp_path / "figures.json"
    assert main(["bench", "--only", "parameters", "--json", str(out)]) == 0
    figures = json.loads(out.read_text())
    printed = capsys.readouterr().out
    assert list(figures) == ["parameters"]
    for size, millions in zip(SIZES, (1.1, 4.2, 18.0, 45.0)):
        assert figures["parameters"][size] / 1e6 == pytest.approx(millions, rel=0.1), size
        assert f"{figures['parameters'][size]:,}" in printed


def test_parts_add_up_to_the_whole():
    from whispersign_model.network.model import WhisperSignModel

    for size, parts in network.parameters_by_part().items():
        assert min(parts.values()) > 0
        with torch.device("meta"):
            model = WhisperSignModel(network.size_config(size))
        assert sum(parts.values()) == model.parameter_count() == network.parameters()[size]


def test_documented_weights_are_the_counted_ones():
    text = (Path(__file__).parents[3] / "docs/reference/network.md").read_text()
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    documented = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}
    counted = network.parameters_by_part()
    for part in network.PARTS:
        assert documented[part] == [f"{counted[size][part]:,}" for size in SIZES], part
    totals = [f"**{sum(counted[size].values()):,}**" for size in SIZES]
    assert documented["**total**"] == totals


def test_training_step_trains_both_passes():
    torch.manual_seed(0)
    from whispersign_model.network.model import WhisperSignModel

    model = WhisperSignModel(network.size_config("tiny").with_vocabulary(7))
    before = {name: value.clone() for name, value in model.named_parameters()}
    network.training_step(model)()
    assert [n for n, value in model.named_parameters() if torch.equal(value, before[n])] == []


def test_median_time_counts_runs_after_the_warm_up(monkeypatch):
    calls = []
    monkeypatch.setattr(network, "LEAST_SECONDS", 0.0)
    assert network.time_of(lambda: calls.append(1)) >= 0
    assert len(calls) == network.WARM_UP + network.LEAST_RUNS


@pytest.mark.slow
def test_costs_of_a_size_are_measured_in_a_process_of_its_own():
    done = []
    parts = ("forward_ms", "train_step_ms", "memory_mb")
    costs = network.measure(["tiny"], 1, parts, lambda: done.append(1))["tiny"]
    assert set(costs.forward_ms) == {"60", "120", "600"}
    assert 0 < costs.forward_ms["60"] < costs.forward_ms["600"]
    assert costs.train_step_ms > costs.forward_ms["60"]
    assert costs.memory_mb > 50
    assert done == [1]


def test_what_is_not_asked_for_is_not_measured(monkeypatch):
    def forward(model, frames):
        raise AssertionError("measured")

    monkeypatch.setattr(network, "forward_ms", forward)
    monkeypatch.setattr(network, "time_of", lambda run: 1.5)
    assert network._measure("tiny", 1, ("train_step_ms",)) == network.Costs(train_step_ms=1.5)
    assert network._measure("tiny", 1, ("memory_mb",)).memory_mb > 50


def test_thread_count_is_checked(capsys):
    with pytest.raises(SystemExit):
        main(["bench", "--threads", "0"])
    assert "below 1" in capsys.readouterr().err
