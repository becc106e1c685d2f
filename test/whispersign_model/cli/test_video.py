# SPDX-License-Identifier: MIT
"""Videos for verbs that take recordings: hands in the coordinates of the model, or none."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from whispersign_model.bundled import ASSETS
from whispersign_model.cli.main import main
from whispersign_model.cli.video import is_video, read_hands
from whispersign_model.errors import ConfigError, RecipeError
from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.features.recipe import Recipe
from whispersign_model.recordings.recording import Coordinates

from ..sensors.videos import damage, lengthen_header, write_video

COMMAND = (sys.executable, "-m", "whispersign_model.cli.main")


@pytest.fixture
def video(tmp_path, one_hand):
    path = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48))
    for _ in range(30):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    (tmp_path / "labels.csv").write_text("recording,glosses\nv,HELLO\n")
    return path


def test_what_is_a_video(video, tmp_path):
    assert is_video(video)
    assert not is_video(tmp_path)  # a folder without images
    assert not is_video(tmp_path / "nosuch.mp4")
    for suffix in (".ts", ".MTS", ".flv", ".gif", ".m2ts", ".3gp", ".wmv", ".ogv"):
        (tmp_path / f"a{suffix}").touch()
        assert is_video(tmp_path / f"a{suffix}")
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((4, 4, 3), np.uint8))
    assert is_video(tmp_path)


@pytest.fixture
def without_opencv(tmp_path):
    """Return the environment of a machine that lacks a system library of OpenCV."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "cv2.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')"
    )
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path}


def test_bags_need_no_opencv(without_opencv, tmp_path):
    for words in (
        ["recognize", "demo", str(ASSETS / "demo_bag")],
        ["view", str(ASSETS / "demo_bag"), "--pictures", "1", "--out", str(tmp_path / "a.png")],
    ):
        done = subprocess.run([*COMMAND, *words], env=without_opencv, capture_output=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", [["recognize", "demo"], ["view"], ["extract", "--out", "bag"]])
def test_a_missing_system_library_is_one_line(without_opencv, tmp_path, words, video):
    done = subprocess.run(
        [*COMMAND, *words, str(video)],
        cwd=tmp_path,
        env=without_opencv,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "the system library libGL.so.1 is missing; on Debian and Ubuntu: apt-get install" in line


def test_a_model_of_image_heights_gets_them_and_no_metres(video):
    seen = read_hands(video, "image_normalised")
    assert seen.coordinates is Coordinates.IMAGE_NORMALISED
    assert seen.glosses == ("HELLO",)
    heights = Recipe(coordinates="image_normalised")
    features = Preprocessor(heights).process(seen)
    assert len(features) > 60
    with pytest.raises(RecipeError, match=r"v: coordinates are metric_sensor, the recipe's image"):
        Preprocessor(heights).process(read_hands(video, "metric_sensor"))


def test_coordinates_that_no_camera_gives_are_refused(video):
    with pytest.raises(ConfigError, match=r"v.avi: the model needs metric_hand_centred; metric"):
        read_hands(video, "metric_hand_centred")


def test_recognize_takes_a_video(video, capsys):
    from whispersign_ros.node.assets import DEMO_MODEL

    assert main(["recognize", str(DEMO_MODEL), str(video), "--device", "cpu"]) == 0
    assert "signed: HELLO" in capsys.readouterr().out


@pytest.mark.usefixtures("one_hand")
@pytest.mark.parametrize("verb", ["recognize", "view", "extract"])
@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".flv"])
def test_missing_pictures_are_told_once(tmp_path, capsys, verb, suffix):
    path = damage(write_video(tmp_path / f"a{suffix}"))
    assert main(words(verb, path, tmp_path)) == 0
    captured = capsys.readouterr()
    told = captured.out if verb == "extract" else captured.err
    assert told.count("pictures cannot be read, from ") == 1
    assert " of 100 pictures cannot be read" in told


@pytest.mark.usefixtures("one_hand")
@pytest.mark.parametrize("verb", ["recognize", "view", "extract"])
def test_nothing_is_told_of_a_whole_file_with_fewer_pictures_than_its_header(
    tmp_path, capsys, verb
):
    path = lengthen_header(write_video(tmp_path / "a.webm", 20), 9.0)
    assert main(words(verb, path, tmp_path)) == 0
    captured = capsys.readouterr()
    assert "pictures cannot" not in captured.out + captured.err
    assert "warning" not in captured.err


@pytest.mark.usefixtures("one_hand")
@pytest.mark.parametrize("verb", ["recognize", "view", "extract"])
@pytest.mark.parametrize("content", [b"", b"no video"])
def test_a_file_without_a_picture_is_refused(tmp_path, capsys, verb, content):
    path = tmp_path / "a.flv"
    path.write_bytes(content)
    assert main(words(verb, path, tmp_path)) == 2
    assert "a.flv: is not a video that can be read" in capsys.readouterr().err


def words(verb, path, folder):
    """Return a command line that reads a video."""
    if verb == "recognize":
        from whispersign_ros.node.assets import DEMO_MODEL

        return [verb, str(DEMO_MODEL), str(path), "--device", "cpu"]
    return [verb, str(path), "--out", str(folder / ("out.png" if verb == "view" else "bag"))]


def test_a_video_is_no_bag(tmp_path, capsys):
    for path in (tmp_path / "a.ts", tmp_path):
        (tmp_path / "a.ts").touch()
        assert main(["convert", str(path), "--out", str(tmp_path / "data")]) == 2
        assert (
            "find the hands in videos with `whispersign extract` first" in capsys.readouterr().err
        )
