# SPDX-License-Identifier: MIT
"""Collections of videos and what is signed in them."""

from __future__ import annotations

import pytest

from whispersign_model.errors import ConfigError, LabelError, SensorError
from whispersign_model.sensors.collection import Labelling, find_clips


@pytest.fixture
def videos(tmp_path):
    for name in ("anna/HELLO/take_10.mp4", "anna/HELLO/take_9.mp4", "ben/STOP/x.MOV"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()
    return tmp_path


def clips(source, **labelling):
    return find_clips(source, Labelling(**labelling))[0]


def test_videos_come_in_natural_order_under_names_of_their_own(videos):
    assert [clip.name for clip in clips(videos)] == [
        "anna_HELLO_take_9",
        "anna_HELLO_take_10",
        "ben_STOP_x",
    ]
    assert {clip.gloss for clip in clips(videos)} == {""}


def test_what_a_killed_verb_left_is_no_video(videos):
    before = clips(videos)
    left = videos / ".signs.partial-x1" / "content"
    left.mkdir(parents=True)
    (left / "half.mp4").touch()
    assert clips(videos) == before


def test_labels_from_folders_names_and_patterns(videos):
    assert [clip.gloss for clip in clips(videos, rule="folder")] == ["HELLO", "HELLO", "STOP"]
    assert [clip.gloss for clip in clips(videos, rule="name")] == ["take", "take", "x"]
    found = clips(videos, pattern=r"^(?P<signer>\w+)/(?P<gloss>[A-Z]+)/", signer="nobody")
    assert [(c.signer, c.gloss) for c in found] == [("anna", "HELLO")] * 2 + [("ben", "STOP")]
    assert {clip.signer for clip in clips(videos, signer="cleo")} == {"cleo"}


def test_labels_from_a_table(videos, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("recording,glosses,signer\ntake_9,HELLO|HOME,dora\nnosuch,X,\n")
    found, warnings = find_clips(videos, Labelling(str(table)))
    assert found[0].rows[0].glosses == ("HELLO", "HOME")
    assert not found[1].rows
    assert "nosuch" in warnings[0]


def test_one_video_and_one_folder_of_images(videos):
    [clip] = clips(videos / "ben/STOP/x.MOV", rule="folder")
    assert (clip.name, clip.gloss) == ("x", "STOP")
    (videos / "ben/STOP/p1.png").touch()
    with pytest.raises(SensorError, match=r"STOP: holds videos and images \(p1.png\)"):
        clips(videos / "ben/STOP")
    (videos / "ben/STOP/x.MOV").unlink()
    [clip] = clips(videos / "ben/STOP")
    assert (clip.name, clip.path) == ("STOP", videos / "ben/STOP")


def test_faults(videos, tmp_path):
    for source, labelling, error, text in (
        (tmp_path / "nosuch", {}, SensorError, r"nosuch: does not exist"),
        (videos, {"pattern": "("}, ConfigError, r"--pattern: is not a regular expression"),
        (videos, {"pattern": "(?P<word>x)"}, ConfigError, r"must have the groups gloss or signer"),
        (videos, {"pattern": "(?P<gloss>zz)"}, ConfigError, r"does not fit anna/HELLO/take_9"),
        (videos, {"rule": "nosuch.csv"}, LabelError, r"nosuch.csv: cannot be read"),
    ):
        with pytest.raises(error, match=text):
            clips(source, **labelling)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SensorError, match=r"contains neither videos nor images; known: .*.avi"):
        clips(tmp_path / "empty")
