# SPDX-License-Identifier: MIT
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from whispersign_model.cli.main import main
from whispersign_model.recordings.bags.bag import read_bag
from whispersign_model.recordings.labels import find_labels, labelled
from whispersign_model.recordings.recording import Recording
from whispersign_model.synthesis.corpus import CorpusOptions, synthesize_corpus
from whispersign_model.synthesis.lexicon import default_lexicon
from whispersign_model.synthesis.sensor import SensorModel


def synthesize(*arguments: object) -> int:
    return main(["synthesize", *map(str, arguments)])


def same(first: Recording, second: Recording) -> bool:
    names = ("stamps", "positions", "confidence")
    return all(np.array_equal(getattr(first, n), getattr(second, n)) for n in names)


def test_a_sentence_becomes_an_annotated_bag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bag"
    assert synthesize("--out", out, "--seed", 4, "--glosses", "stop,GO", "--rate", 90) == 0
    assert "STOP GO" in capsys.readouterr().out
    options = CorpusOptions(seed=4, prompts=(("STOP", "GO"),), sensor=SensorModel.named("leap", 90))
    (made,) = synthesize_corpus(options)
    read = read_bag(out)
    assert same(read, made)
    assert read.segments == made.segments
    assert (read.signer, read.source) == ("signer000", "synthetic")


def test_without_options_one_random_sentence_of_that_seed(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert synthesize("--out", tmp_path / name, "--seed", seed, "--storage", "sqlite3") == 0
    first, again, other = (read_bag(tmp_path / name) for name in "abc")
    assert 3 <= len(first.glosses) <= 7
    assert same(first, again)
    assert not same(first, other)
    assert list((tmp_path / "a").glob("*.db3"))


def test_many_recordings_become_a_folder_of_bags(tmp_path: Path) -> None:
    out = tmp_path / "bags"
    words = "--signers 2 --first-signer 5 --takes 1 --sentences 1 --idle 1 --length 2 --repeats 0"
    assert synthesize("--out", out, "--vocabulary", "STOP,OPEN", *words.split()) == 0
    recordings = [read_bag(path) for path in sorted(out.iterdir())]
    assert len(recordings) == 2 * (2 + 1 + 1)
    assert {recording.signer for recording in recordings} == {"signer005", "signer006"}
    assert sorted(len(recording.glosses) for recording in recordings) == [0] * 2 + [1] * 4 + [2] * 2
    assert {g for recording in recordings for g in recording.glosses} == {"STOP", "OPEN"}


def test_takes_belong_to_the_sentence_where_one_is_given(tmp_path: Path) -> None:
    out = tmp_path / "bags"
    assert synthesize("--out", out, "--glosses", "YES NO", "--takes", 2) == 0
    first, second = (read_bag(path) for path in sorted(out.iterdir()))
    assert first.glosses == second.glosses == ("YES", "NO")
    assert not same(first, second)


def test_a_video_shows_the_recording(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    bag, video = tmp_path / "bag", tmp_path / "sign.mp4"
    words = ["--glosses", "STOP", "--size", "160x120", "--fps", "10"]
    assert synthesize("--out", bag, "--video", video, *words) == 0
    film = cv2.VideoCapture(str(video))
    assert film.get(cv2.CAP_PROP_FRAME_WIDTH) == 160
    seconds = film.get(cv2.CAP_PROP_FRAME_COUNT) / 10
    assert seconds == pytest.approx(read_bag(bag).duration, abs=0.2)
    many = ["--out", tmp_path / "bags", "--video", tmp_path / "videos", "--takes", 2]
    assert synthesize(*many, *words) == 0
    bags, videos = (sorted((tmp_path / name).iterdir()) for name in ("bags", "videos"))
    labels = videos.pop(0)
    assert [path.stem for path in videos] == [path.name for path in bags]
    rows, warnings = find_labels(videos, None)
    assert labels.name == "labels.csv"
    assert not warnings
    for path, shown in zip(bags, videos):
        recording = read_bag(path)
        told = labelled(replace(recording, segments=()), rows[shown])
        assert told.glosses == recording.glosses
        assert told.segments[0].start == pytest.approx(recording.segments[0].start, abs=1e6)
    assert videos[0].read_bytes() != videos[1].read_bytes()


def test_the_signs_can_be_listed_and_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synthesize("--list") == 0
    assert capsys.readouterr().out == default_lexicon().table()
    pytest.importorskip("cv2")
    assert synthesize("--sheet", tmp_path / "signs.jpg") == 0
    assert (tmp_path / "signs.jpg").stat().st_size > 50_000


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("--glosses STOP,FOO", "FOO: is not a sign"),
        ("--vocabulary FOO", "FOO: is not a sign"),
        ("--length 3-x", "--length"),
        ("--length 5-3", "length"),
        ("--repeats 1", "repeats"),
        ("--left-handed 1.5", "left_handed"),
        ("--rate 0", "--rate"),
        ("--fps 5000", "--fps: is 5000"),
        ("--fps 10", "--fps: has no effect without --video"),
        ("--size 160x120", "--size: has no effect without --video"),
        ("--takes -1", "--takes"),
        ("--signers 0", "--signers"),
        ("--video v.mp4 --size 9x9", "--size"),
        ("--video v.mp4 --size=", "--size"),
        ("--glosses ,", "--glosses"),
    ],
)
def test_a_fault_is_one_line_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, fault: str
) -> None:
    assert synthesize("--out", tmp_path / "out", *words.split()) == 2
    said = capsys.readouterr().err
    assert fault in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--sheet", "--video"])
def test_a_picture_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    pytest.importorskip("cv2")
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "picture.jpg"
    words = ["--out", tmp_path / "bag", "--glosses", "STOP"] if option == "--video" else []
    assert synthesize(*words, option, place) == 2
    said = capsys.readouterr().err
    assert "cannot be written" in said
    assert said.count("\n") == 1


def test_an_existing_bag_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bag"
    assert synthesize("--out", out, "--glosses", "STOP") == 0
    before = read_bag(out)
    assert synthesize("--out", out, "--glosses", "GO") == 2
    assert "exists already" in capsys.readouterr().err
    assert same(read_bag(out), before)
