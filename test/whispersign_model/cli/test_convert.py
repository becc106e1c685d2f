# SPDX-License-Identifier: MIT
"""``whispersign convert``: annotated bags become a dataset."""

from __future__ import annotations

import json
import resource
from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.cli.main import EXIT_USAGE, main
from whispersign_model.datasets.dataset import Dataset
from whispersign_model.features.recipe import Recipe, Smoothing
from whispersign_model.features.smoothing import Smoother
from whispersign_model.recordings.bags.bag import BagWriter, write_bag
from whispersign_model.recordings.recording import Recording, Segment


def make_recording(number: int, **fields) -> Recording:
    """Return a second of a swaying hand, signed by one of five."""
    rng = np.random.default_rng(number)
    stamps = (5_000_000_000 + np.arange(60) * 16_666_667).astype(np.int64)
    sway = np.sin(np.arange(60) / 5)[:, None, None] * 0.1
    positions = (rng.normal(0, 0.05, (1, 42, 3)) + sway).astype(np.float32)
    confidence = np.ones((60, 42), np.float32)
    segment = Segment((f"G{number % 3}",), int(stamps[10]), int(stamps[40]))
    defaults = {"segments": (segment,), "signer": f"s{number % 5}", "source": "leap"}
    return Recording(stamps, positions, confidence, **(defaults | fields))


@pytest.fixture
def bags(tmp_path):
    """Fifteen bags, of both storages."""
    root = tmp_path / "bags"
    for number in range(15):
        storage = "mcap" if number % 2 else "sqlite3"
        write_bag(root / f"take_{number}", make_recording(number), storage)
    return root


def names(data, split):
    return [example.name for example in data.split(split)]


def test_bags_become_a_dataset_by_signer(bags, tmp_path, capsys):
    out = tmp_path / "dataset"
    assert main(["convert", str(bags), "--out", str(out), "--language", "gsg"]) == 0
    data = Dataset.open(out)
    assert data.glosses == ("G0", "G1", "G2")
    assert data.language == "gsg"
    signers = {split: {ex.signer for ex in data.split(split)} for split in ("train", "val", "test")}
    assert sorted(map(len, signers.values())) == [1, 1, 3]
    assert len(set.union(*signers.values())) == 5
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{out}:"
    assert lines[1].startswith("  train: 9 recordings, ")
    assert lines[1].endswith(" s, 9 glosses of 3 kinds, 3 signers")


def test_named_signers_and_turns(bags, tmp_path):
    out = str(tmp_path / "dataset")
    assert main(["convert", str(bags), "--out", out, "--val", "s3", "--test", "s1,s4"]) == 0
    assert names(Dataset.open(out), "val") == ["take_13", "take_3", "take_8"]
    assert len(Dataset.open(out).split("test")) == 6
    turns = ["--test-every", "5", "--test-offset", "2", "--val-every", "7", "--force"]
    assert main(["convert", str(bags), "--out", out, *turns]) == 0
    assert names(Dataset.open(out), "test") == ["take_12", "take_2", "take_7"]
    assert names(Dataset.open(out), "val") == ["take_1", "take_8"]


def test_recipe_options_reach_the_features(bags, tmp_path):
    out = tmp_path / "dataset"
    options = ["--rate", "30", "--smoothing", "none", "--cut", "--margin", "0"]
    assert main(["convert", str(bags / "take_0"), "--out", str(out), "--test", "*", *options]) == 0
    data = Dataset.open(out)
    assert data.recipe == Recipe(rate=30, smoothing=Smoothing(kind="none"))
    assert data.split("test")[0].frames == 16  # half a second at 30 Hz, both ends


def test_unreadable_bag_in_a_list_of_good_ones(bags, tmp_path, capsys):
    broken = bags / "take_3" / "take_3.mcap"
    broken.write_bytes(broken.read_bytes()[:-1000])
    out = tmp_path / "dataset"
    assert main(["convert", str(bags), "--out", str(out)]) == EXIT_USAGE
    error = capsys.readouterr().err
    assert f"{broken}: ends too early" in error
    assert error.count("\n") == 1
    assert not out.exists()
    assert main(["convert", str(bags), "--out", str(out), "--on-error", "skip"]) == 0
    assert f"left out {broken}: ends too early" in capsys.readouterr().out
    assert main(["convert", str(bags), "--out", str(out), "--recover", "--force"]) == 0
    assert "left out" not in capsys.readouterr().out


def test_labels_from_tables(bags, tmp_path, capsys):
    (bags / "labels.csv").write_text("recording,glosses,signer\ntake_1,A|B,zoe\ntake_99,C,\n")
    (bags / "take_2.csv").write_text("glosses,start,end\nC,0.1,0.4\n")
    out = tmp_path / "dataset"
    assert main(["convert", str(bags), "--out", str(out), "--test", "*"]) == 0
    found = {example.name: example for example in Dataset.open(out).split("test")}
    glosses = {
        name: [segment.glosses[0] for segment in example.segments]
        for name, example in found.items()
    }
    assert glosses["take_1"] == ["A", "B"]
    assert glosses["take_2"] == ["C"]
    assert glosses["take_3"] == ["G0"]  # from its topic
    assert found["take_1"].signer == "zoe"
    warning = f"warning: {bags / 'labels.csv'} names 1 recordings not converted (take_99)"
    assert warning in capsys.readouterr().out
    assert warning in (out / "report.txt").read_text()
    table = tmp_path / "all.csv"
    table.write_text("recording,glosses,end,start\ntake_1,A,0.1,x\n")
    command = ["convert", str(bags), "--out", str(out), "--labels", str(table), "--force"]
    assert main(command) == EXIT_USAGE
    assert f"{table}:2: start is 'x'" in capsys.readouterr().err
    table.write_text("recording,glosses,start,end\ntake_1,A,0,60\n")
    assert main([*command, "--test", "*"]) == EXIT_USAGE
    assert f"{table}:2: ends at 60 s, but take_1 lasts 0.98 s" in capsys.readouterr().err
    assert main([*command, "--test", "*", "--on-error", "skip"]) == 0
    assert f"left out {table}:2: ends at 60 s" in capsys.readouterr().out


def test_bags_of_one_name_become_two_examples(bags, tmp_path):
    for number, day in enumerate(("monday", "tuesday")):
        write_bag(tmp_path / "days" / day / "take", make_recording(number))
    out = tmp_path / "dataset"
    assert main(["convert", str(tmp_path / "days"), "--out", str(out), "--test", "*"]) == 0
    assert names(Dataset.open(out), "test") == ["take", "take-2"]
    origins = [
        each["origin"] for each in json.loads((out / "report.json").read_text())["recordings"]
    ]
    assert origins == [str(tmp_path / "days" / day / "take") for day in ("monday", "tuesday")]


@pytest.mark.parametrize("limit", [1_000, 50_000])  # bytes: in the scratch files, in the dataset
def test_full_disk_is_one_line_and_leaves_nothing(bags, tmp_path, capsys, limit):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        code = main(["convert", str(bags), "--out", str(tmp_path / "dataset")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == EXIT_USAGE
    error = capsys.readouterr().err
    assert "dataset: cannot be written (File too large)" in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bags"]


def test_page_is_written_on_demand(bags, tmp_path):
    pytest.importorskip("matplotlib")
    out, page = tmp_path / "dataset", tmp_path / "page.html"
    assert main(["convert", str(bags), "--out", str(out), "--report", str(page)]) == 0
    assert "<h1>Dataset dataset</h1>" in page.read_text()


def test_unlabelled_bags_are_kept_on_demand(bags, tmp_path):
    write_bag(bags / "idle", make_recording(1, segments=()))
    command = ["convert", str(bags), "--out", str(tmp_path / "d"), "--test", "*"]
    assert main(command) == 0
    assert len(Dataset.open(tmp_path / "d").split("test")) == 15
    assert main([*command, "--keep-unlabelled", "--force"]) == 0
    kept = {example.name: example for example in Dataset.open(tmp_path / "d").split("test")}
    assert kept["idle"].labels.tolist() == []


def test_raw_frames_are_taken_before_filtered_ones(tmp_path):
    raw = make_recording(1)
    other = Smoother(Smoothing(kind="moving_average", window_size=9)).smooth(raw)
    with BagWriter(tmp_path / "both") as bag:
        bag.write(raw)
        bag.write(replace(other, segments=()))
    write_bag(tmp_path / "raw", raw)
    for name in ("both", "raw"):
        out = str(tmp_path / f"dataset_{name}")
        assert main(["convert", str(tmp_path / name), "--out", out, "--test", "*"]) == 0
    both, only = (Dataset.open(tmp_path / f"dataset_{name}") for name in ("both", "raw"))
    np.testing.assert_array_equal(
        both.split("test")[0].features(), only.split("test")[0].features()
    )


def test_filtered_frames_need_the_recipe_s_filter(tmp_path, capsys):
    smooth = Smoother(Smoothing(kind="moving_average")).smooth(make_recording(1))
    write_bag(tmp_path / "take", smooth)
    command = ["convert", str(tmp_path / "take"), "--out", str(tmp_path / "d"), "--test", "*"]
    assert main(command) == EXIT_USAGE
    assert "take: smoothed by moving_average(5), the recipe has one_euro" in capsys.readouterr().err
    assert main([*command, "--smoothing", "moving_average"]) == 0


def test_faults_are_one_line(bags, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    for arguments, fault in (
        ([tmp_path / "nowhere", "--out", tmp_path / "d"], "nowhere: does not exist"),
        ([tmp_path / "empty", "--out", tmp_path / "d"], "empty: holds no rosbag2"),
        ([bags, "--out", tmp_path / "photos"], "photos: exists and is not a dataset"),
        ([bags, "--out", tmp_path / "d", "--test", "s9"], "--test s9: fits no signer"),
        ([bags, "--out", tmp_path / "d", "--topic", "hands/left"], "has no topic hands/left"),
    ):
        assert main(["convert", *map(str, arguments)]) == EXIT_USAGE
        error = capsys.readouterr().err
        assert fault in error
        assert error.count("\n") == 1
    assert not (tmp_path / "d").exists()


def test_frames_that_rate_and_margin_refuse(bags, tmp_path, capsys):
    for option in (["--rate", "fast"], ["--margin", "-1"], ["--test-every", "-2"]):
        with pytest.raises(SystemExit) as caught:
            main(["convert", str(bags), "--out", str(tmp_path / "d"), *option])
        assert caught.value.code == EXIT_USAGE
        assert option[0] in capsys.readouterr().err


@pytest.fixture
def parts(tmp_path):
    """Return a folder of a killed recorder without metadata: the parts 0 and 2 of a recording."""
    folder = tmp_path / "day" / "k"
    folder.mkdir(parents=True)
    for number in (0, 2):
        write_bag(tmp_path / f"part{number}", make_recording(number))
        (tmp_path / f"part{number}" / f"part{number}.mcap").rename(folder / f"k_{number}.mcap")
    return folder


@pytest.mark.parametrize("given", ["day", "day/k"])
def test_missing_part_ends_with_one_line(parts, tmp_path, capfd, given):
    words = ["convert", str(tmp_path / given), "--out", str(tmp_path / "dataset")]
    assert main(words) == EXIT_USAGE
    out, err = capfd.readouterr()
    assert out == ""
    assert err == (
        f"whispersign: error: {parts}: lacks k_1.mcap of its recording; copy them there; "
        "`whispersign convert --recover` reads the other parts\n"
    )
    assert main([*words, "--recover"]) == 0


def test_numbered_files_and_copies_are_warned_of(parts, tmp_path, capsys):
    folder = parts.rename(parts.parent / "loose")
    (folder / "copy.mcap").write_bytes((folder / "k_0.mcap").read_bytes())
    out = tmp_path / "dataset"
    words = ["convert", str(folder), "--out", str(out), "--test", "copy", "--val", "k_2"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert f"warning: {folder / 'k_0.mcap'} and k_2.mcap are read as separate" in printed
    same = f"'{folder / 'k_0.mcap'}' and '{folder / 'copy.mcap'}'"
    assert f"warning: train and test hold the same recording: {same}" in printed
    assert same in (out / "report.txt").read_text()


def test_names_of_splits_may_be_spelled_in_either_form(tmp_path):
    for number, signer in enumerate(("Bj\u00f6rn", "anna")):
        write_bag(tmp_path / "bags" / f"b{number}", make_recording(number, signer=signer))
    words = ["convert", str(tmp_path / "bags"), "--out", str(tmp_path / "dataset")]
    assert main([*words, "--test", "Bjo\u0308rn "]) == 0
    assert names(Dataset.open(tmp_path / "dataset"), "test") == ["b0"]
