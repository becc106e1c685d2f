# SPDX-License-Identifier: MIT
"""The benchmark of loading: made-up recordings, a dataset of one's own, and what it prints."""

import json
from dataclasses import replace

from whispersign_model.benchmarks import loading
from whispersign_model.cli import bench
from whispersign_model.cli.main import main
from whispersign_model.datasets.dataset import Dataset
from whispersign_model.training.throughput import LoadingFigures


def test_made_up_recordings_are_a_training_split(tmp_path):
    few = replace(loading.MADE_UP, signers=1, takes=1, sentences=1, glosses=("HELLO", "STOP"))
    data = Dataset.open(loading.made_up_dataset(tmp_path / "dataset", few))
    assert sorted(len(example.labels) for example in data.split("train"))[:2] == [1, 1]
    assert set(data.glosses) == {"HELLO", "STOP"}


def test_a_dataset_is_measured_and_the_figures_are_written(tmp_path, capsys, monkeypatch):
    from whispersign_model.synthesis.corpus import CorpusOptions

    few = CorpusOptions(glosses=("HELLO", "STOP"), takes=3, left_handed=0.0)
    folder = loading.made_up_dataset(tmp_path / "dataset", few)
    measured = []

    def pretend(clips, step, batch_size):
        measured.append(len(clips))
        return LoadingFigures(600.0, 200.0, 0.05, 20.0)

    monkeypatch.setattr(loading, "measure_loading", pretend)
    out = tmp_path / "out.json"
    words = ["bench", "--only", "loading", "--data", str(folder), "--json", str(out)]
    assert main(words) == 0
    assert measured == [6]
    figures = json.loads(out.read_text())["loading"]
    assert (figures["ratio"], figures["gain"], figures["padding"]) == (3.0, 10.0, 0.05)
    told = capsys.readouterr().out
    assert "3.0 times" in told
    assert "10.0 times" in told
    assert "5.0 %" in told


def test_every_part_is_measured_by_default():
    assert {"parameters", *bench.COSTS, "loading"} <= set(bench.PARTS)
