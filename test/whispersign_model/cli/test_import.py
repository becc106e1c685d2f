# SPDX-License-Identifier: MIT
"""``whispersign import``: archives become annotated bags, or a dataset."""

from __future__ import annotations

import json

import numpy as np
import pytest

from whispersign_model.cli.main import EXIT_USAGE, main
from whispersign_model.datasets.dataset import Dataset
from whispersign_model.recordings.bags.bag import read_bag


@pytest.fixture
def archive(tmp_path):
    """An archive of twelve recordings by four signers, with a second label array."""
    count, frames = 12, 30
    rng = np.random.default_rng(0)
    index = np.arange(count)
    path = tmp_path / "signs.npz"
    np.savez(
        path,
        xyz=rng.normal(0, 0.1, (1, 42, 3)) + np.zeros((count * frames, 1, 1)),
        t=np.tile(np.arange(frames) / 30, count),
        ptr=np.arange(count + 1) * frames,
        lab=index % 2,
        label4=index % 4,
        classes4=np.array(["eat 1", "drink 1", "eat 2", "drink 2"]),
        lptr=np.arange(count + 1),
        classes=np.array(["eat", "drink"]),
        subject=np.array([f"s{i % 4}" for i in index]),
        split=np.array(["test" if i == 5 else "" for i in index]),
        sid=np.array([f"eat/{i}" for i in index]),
        seg=np.stack([index, index % 2, 0 * index + 3, 0 * index + 20], axis=1),
        meta=np.array(json.dumps({"licence": "none"})),
    )
    return path


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_one_annotated_bag_a_recording(archive, tmp_path, capsys, storage):
    out = tmp_path / "bags"
    assert main(["import", str(archive), "--out", str(out), "--storage", storage]) == 0
    bags = sorted(out.iterdir())
    assert [bag.name for bag in bags[:2]] == ["00_eat_0", "01_eat_1"]
    assert len(bags) == 12
    recording = read_bag(bags[5])
    assert (recording.signer, recording.source, recording.split) == ("s1", "signs", "test")
    assert recording.meta == {"licence": "none"}
    (segment,) = recording.segments
    assert segment.glosses == ("drink",)
    assert (segment.start, segment.end) == (recording.stamps[3], recording.stamps[20])
    assert capsys.readouterr().out == f"{out}: 12 bags, 360 frames, 12 with annotation\n"


@pytest.mark.parametrize("target", ["--out", "--dataset"])
def test_a_slow_archive_is_told_in_one_line(archive, tmp_path, capsys, target):
    fields = dict(np.load(archive))
    fields["t"] = fields["t"] * 6  # 5 frames per second
    np.savez(archive, **fields)
    assert main(["import", str(archive), target, str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    (line,) = [
        line for line in (told.out + told.err).splitlines() if "frames per second to" in line
    ]
    assert "00_eat_0 (5.0), 01_eat_1 (5.0)" in line
    assert "and 2 more; at least 8 are needed" in line
    assert str(archive) in line or target == "--dataset"


def test_dataset_honours_the_archive_s_split(archive, tmp_path, capsys):
    out = tmp_path / "dataset"
    assert main(["import", str(archive), "--dataset", str(out), "--val", "s2"]) == 0
    data = Dataset.open(out)
    assert [example.name for example in data.split("test")] == ["05_eat_5"]
    assert {example.signer for example in data.split("val")} == {"s2"}
    assert len(data.split("train")) == 8
    assert "warning: train and test share 1 signers (s1)" in capsys.readouterr().out


def test_another_label_array(archive, tmp_path):
    out = tmp_path / "dataset"
    assert main(["import", str(archive), "--dataset", str(out), "--label", "label4"]) == 0
    assert Dataset.open(out).glosses == ("drink 1", "drink 2", "eat 1", "eat 2")


def test_bags_join_those_of_another_archive_but_replace_none(archive, tmp_path, capsys):
    out = tmp_path / "bags"
    out.mkdir()
    (out / "mine").mkdir()
    assert main(["import", str(archive), "--out", str(out)]) == 0
    assert len(list(out.iterdir())) == 13
    assert main(["import", str(archive), "--out", str(out)]) == EXIT_USAGE
    assert "00_eat_0: exists already" in capsys.readouterr().err
    assert len(list(out.iterdir())) == 13
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_faults_are_one_line(archive, tmp_path, capsys):
    for arguments, fault in (
        ([str(tmp_path / "no.npz"), "--out", "x"], "no.npz: does not exist"),
        ([str(archive), "--out", "x", "--label", "label9"], "key 'label9' is missing"),
        ([str(archive), "--out", "x", "--cut"], "--cut: has no effect without --dataset"),
        ([str(archive), "--dataset", "x", "--storage", "sqlite3"], "--storage: has no effect"),
        ([str(archive), "--dataset", str(tmp_path / "d"), "--test", "s9"], "--test s9: fits no"),
        ([str(archive), "--dataset", str(tmp_path / "d"), "--rate", "1"], "recipe: rate: "),
    ):
        assert main(["import", *arguments]) == EXIT_USAGE
        error = capsys.readouterr().err
        assert fault in error
        assert error.count("\n") == 1
    assert not (tmp_path / "d").exists()


def test_interrupted_import_leaves_nothing(archive, tmp_path, monkeypatch):
    from whispersign_model.recordings.bags import bag

    written = []

    def interrupted(path, recording, storage):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path)
        path.mkdir()

    monkeypatch.setattr(bag, "write_bag", interrupted)
    assert main(["import", str(archive), "--out", str(tmp_path / "bags")]) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["signs.npz"]
