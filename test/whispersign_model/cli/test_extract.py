# SPDX-License-Identifier: MIT
"""``whispersign extract`` with a detector that always sees one hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from whispersign_model.cli.main import main
from whispersign_model.errors import SensorError
from whispersign_model.recordings.bags.bag import read_bag
from whispersign_model.recordings.recording import Coordinates
from whispersign_model.sensors.extraction import ExtractionOptions, record
from whispersign_model.sensors.picture_files import Excerpt, open_file


@pytest.fixture(autouse=True)
def hand(one_hand):
    return one_hand


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    for name, frames in (("HELLO_1", 5), ("STOP_1", 6)):
        folder.mkdir(exist_ok=True)
        path = str(folder / f"{name}.mp4")
        writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), 25.0, (64, 48))
        for _ in range(frames):
            writer.write(np.zeros((48, 64, 3), np.uint8))
        writer.release()
    return folder


def run(*words):
    return main(["extract", *map(str, words), "--jobs", "1"])


def test_one_video_becomes_one_bag(videos, tmp_path, capsys):
    out = tmp_path / "bag"
    assert run(videos / "HELLO_1.mp4", "--out", out, "--labels", "name", "--signer", "anna") == 0
    assert capsys.readouterr().out == f"{out}: 1 bags, 0.2 s, 5 frames, hands in 100.0% of them\n"
    recording = read_bag(out)
    assert recording.stamps.tolist() == [40_000_000 * number for number in range(5)]
    assert recording.glosses == ("HELLO",)
    assert (recording.signer, recording.source) == ("anna", "camera")
    assert recording.coordinates is Coordinates.METRIC_SENSOR
    assert not recording.confidence[:, :21].any()
    assert (recording.segments[0].start, recording.segments[0].end) == (0, 160_000_000)


def test_an_interrupted_extraction_goes_on(videos, tmp_path, capsys, hand):
    out = tmp_path / "bags"
    assert run(videos, "--out", out, "--labels", "name") == 0
    assert (hand.looked, sorted(path.name for path in out.iterdir())) == (11, ["HELLO_1", "STOP_1"])
    for file in (out / "STOP_1").iterdir():
        file.unlink()
    (out / "STOP_1").rmdir()
    assert run(videos, "--out", out, "--labels", "name") == 0
    assert hand.looked == 17
    told = capsys.readouterr()
    assert "1 bags already existed" in told.out
    assert told.err.splitlines()[-1] == "2 of 2: STOP_1"  # a log shows that it goes on
    assert run(videos, "--out", out, "--mirrored") == 2
    assert "already exists, made with other options" in capsys.readouterr().err
    assert run(videos, "--out", out, "--labels", "folder") == 2
    assert "already exists, made with other labels" in capsys.readouterr().err
    (videos / "STOP_1.mp4").write_bytes(b"another video")
    assert run(videos, "--out", out, "--labels", "name") == 2
    assert "STOP_1: already exists, made with other labels or of another" in capsys.readouterr().err


def test_one_bag_that_is_there_is_refused_before_the_work(videos, tmp_path, capsys, hand):
    (tmp_path / "bag").mkdir()
    assert run(next(videos.glob("HELLO*")), "--out", tmp_path / "bag") == 2
    assert "bag: exists already" in capsys.readouterr().err
    assert hand.looked == 0


def test_a_table_labels_spans(videos, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("recording,glosses,start,end\nHELLO_1,A,0,0.08\nHELLO_1,B,0.08,0.16\n")
    assert run(videos, "--out", tmp_path / "bags", "--labels", table) == 0
    assert read_bag(tmp_path / "bags/HELLO_1").glosses == ("A", "B")
    assert read_bag(tmp_path / "bags/STOP_1").glosses == ()


def test_a_video_that_cannot_be_read(videos, tmp_path, capsys):
    (videos / "broken.mp4").write_text("no video")
    assert run(videos, "--out", tmp_path / "bags") == 2
    error = capsys.readouterr().err
    assert "broken.mp4: is not a video that can be read; convert it to MP4" in error
    assert error.splitlines()[:2] == ["1 of 3: HELLO_1", "2 of 3: STOP_1"]
    assert error.count("\n") == 3
    assert run(videos, "--out", tmp_path / "bags", "--on-error", "skip") == 0
    said = capsys.readouterr().out
    assert "2 bags" in said
    assert "left out broken" in said


def test_options_out_of_range(videos, tmp_path, capsys):
    assert run(videos, "--out", tmp_path / "b", "--field-of-view", "200") == 2
    assert "--field-of-view: is 200.0; from 10 to 170" in capsys.readouterr().err


def test_an_excerpt_behind_the_end_is_told_as_that(videos, hand):
    late = Excerpt(open_file(next(videos.glob("HELLO*"))), start=99.0)
    with pytest.raises(SensorError, match=r"hello: has no picture there; look earlier"):
        record(late, ExtractionOptions(), "hello", lambda done, sensor: None)
