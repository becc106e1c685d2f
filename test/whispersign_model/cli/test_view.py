# SPDX-License-Identifier: MIT
"""``whispersign view``: sheets and films of bags, archives and videos, and faults in one line."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from whispersign_model.cli.main import main
from whispersign_model.recordings.bags.bag import write_bag
from whispersign_model.recordings.recording import Recording, Segment
from whispersign_model.synthesis.signer import Signer

SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    path = tmp_path_factory.mktemp("bags") / "wave"
    write_bag(path, Signer(0).sign_sentence(["HELLO"], start=0))
    return path


@pytest.fixture
def video(tmp_path, one_hand):
    path = tmp_path / "v.avi"
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), codec, 20.0, (160, 120))
    for number in range(20):
        writer.write(np.full((120, 160, 3), 10 * number, np.uint8))
    writer.release()
    return path


def frames_of(path):
    capture, found = cv2.VideoCapture(str(path)), []
    while (picture := capture.read())[0]:
        found.append(picture[1])
    return found


def test_a_sheet_of_a_bag(bag, tmp_path, capsys):
    out = tmp_path / "pictures" / "sheet.png"
    assert main(["view", str(bag), "--out", str(out), "--pictures", "6"]) == 0
    assert Image.open(out).size == (1200, 660)
    assert capsys.readouterr().out == f"{out}: wave\n"


@pytest.mark.parametrize(("suffix", "rate"), [("mp4", 30), ("gif", 20)])
def test_a_film_of_a_bag_lasts_as_long_as_it_should(bag, tmp_path, suffix, rate):
    out = tmp_path / f"film.{suffix}"
    words = ["view", str(bag), "--out", str(out), "--start", "0.5", "--duration", "0.6"]
    assert main([*words, "--speed", "0.5"]) == 0
    number = Image.open(out).n_frames if suffix == "gif" else len(frames_of(out))
    assert abs(number - 1.2 * rate) <= 1
    if suffix == "gif":
        assert Image.open(out).info["duration"] == 50


def test_a_film_of_a_video_shows_the_hands_on_its_pictures(video, tmp_path, one_hand):
    out = tmp_path / "film.mp4"
    words = ["view", str(video), "--out", str(out), "--start", "0.5", "--field-of-view", "90"]
    assert main(words) == 0
    assert one_hand.looked == 10  # those before the start are not looked at
    found = frames_of(out)
    assert abs(len(found) - 15) <= 1
    assert found[0].shape == (150, 160, 3)  # its caption is above
    greys = [np.median(picture[30:]) for picture in found]  # hands cover less than half
    assert greys[0] == pytest.approx(100, abs=8)
    assert greys[-1] == pytest.approx(190, abs=8)
    assert (np.diff(greys) > -8).all()
    coloured = np.ptp(found[0][30:].astype(int), axis=2) > 60
    assert 50 < coloured.sum() < 5000


def test_a_sheet_of_a_mirrored_video_is_turned_round(tmp_path, one_hand, monkeypatch):
    folder = tmp_path / "images"
    folder.mkdir()
    half = np.zeros((48, 64, 3), np.uint8)
    half[:, :32] = 255
    cv2.imwrite(str(folder / "1.png"), half)
    sheet = tmp_path / "sheet.png"
    assert main(["view", str(folder), "--out", str(sheet), "--mirrored"]) == 0
    drawn = np.asarray(Image.open(sheet).convert("L"))
    rows = drawn[drawn.shape[0] // 2 :]
    assert rows[:, 20].mean() < 60 < 200 < rows[:, -20].mean()


def test_one_of_an_archive_by_its_name(tmp_path, capsys, monkeypatch):
    recordings = [
        Recording(
            np.arange(5) * SECOND,
            np.ones((5, 42, 3), np.float32),
            np.ones((5, 42), np.float32),
            (Segment(("A",), SECOND, 2 * SECOND),),
            name=name,
        )
        for name in ("first", "second")
    ]
    monkeypatch.setattr("whispersign_model.datasets.archive.read_archive", lambda path: recordings)
    out = str(tmp_path / "a.png")
    assert main(["view", "a.npz", "--out", out]) == 0
    assert "holds 2 recordings; this is first" in capsys.readouterr().out
    assert main(["view", "a.npz", "--out", out, "--recording", "second"]) == 0
    assert capsys.readouterr().out == f"{out}: second\n"
    assert main(["view", "a.npz", "--out", out, "--recording", "third"]) == 2
    assert "--recording third: is not in a.npz; there is first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--out", "{}/a.cat"], "a.cat: is not a picture format"),
        (["--out", "{}/a.png", "--start", "100"], "has no frames there"),
        (["--out", "{}/file/a.png"], "cannot be written"),
        (["--out", "{}/a.png", "--mirrored"], "--mirrored: has no effect without a video"),
        (["--out", "{}/a.png", "--speed", "2"], "--speed: has no effect on a sheet"),
        (["--out", "{}/a.gif", "--pictures", "3"], "--pictures: only affects a sheet"),
        (["--pictures", "3"], "--pictures: only affects a sheet"),
        ([], "view: there is no display; name a file with --out"),
    ],
)
def test_faults_are_one_line(bag, tmp_path, capsys, monkeypatch, words, fault):
    (tmp_path / "file").touch()
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert main(["view", str(bag), *(word.format(tmp_path) for word in words)]) == 2
    said = capsys.readouterr().err
    assert fault in said
    assert said.count("\n") == 1


def test_a_video_is_one_recording(video, tmp_path, capsys):
    words = ["view", str(video), "--out", str(tmp_path / "a.png"), "--recording", "v"]
    assert main(words) == 2
    assert "--recording: has no effect for a video" in capsys.readouterr().err


def test_a_file_that_is_no_recording(tmp_path, capsys):
    assert main(["view", str(tmp_path / "nosuch"), "--out", str(tmp_path / "a.png")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    (tmp_path / "a.mp4").write_text("no video")
    assert main(["view", str(tmp_path / "a.mp4"), "--out", str(tmp_path / "a.png")]) == 2
    assert "is not a video that can be read" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:Animation was deleted")
def test_a_window_where_there_is_a_display(bag, monkeypatch):
    import matplotlib
    from matplotlib import pyplot

    shown = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(pyplot, "get_backend", lambda: "TkAgg")
    monkeypatch.setattr(pyplot, "show", lambda: shown.append(pyplot.gcf()))
    matplotlib.use("agg")
    assert main(["view", str(bag)]) == 0
    assert len(shown) == 1
    pyplot.close("all")
