# SPDX-License-Identifier: MIT
"""The recordings that networks are tried on in a room: their own signs, and everything else."""

import json

import numpy as np
import pytest

from whispersign_model import bundled as bundle
from whispersign_model.benchmarks import room, room_recordings
from whispersign_model.benchmarks.room_recordings import room_of
from whispersign_model.bundled import bundled
from whispersign_model.cli.main import main
from whispersign_model.errors import WhisperSignError
from whispersign_model.recordings.recording import Coordinates
from whispersign_model.synthesis.idle import IDLE_KINDS


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(room_recordings, "SIGNS", 20)
    monkeypatch.setattr(room_recordings, "OTHERS", 30)
    monkeypatch.setattr(room_recordings, "IDLE", 18)


@pytest.fixture
def archived(tmp_path, write_archive):
    """Return a function that writes an archive in a folder of archives."""

    def write(name, signs, **changes):
        path = tmp_path / "archives" / name
        path.parent.mkdir(exist_ok=True)
        write_archive(path, signs, ["s"] * len(signs))
        with np.load(path) as archive:
            arrays = {key: archive[key] for key in archive.files} | changes
        np.savez(path, **arrays)
        return path

    return write


def splits(*names):
    return {"split": np.array(names)}


def test_signs_of_the_vocabulary_are_made_up_by_people_who_trained_nothing():
    tried = room_of(bundled("commands"), [])
    assert {sign.glosses[0] for sign in tried.signs} >= {"STOP", "GO", "YES"}
    assert min(int(sign.signer.removeprefix("signer")) for sign in tried.signs) == 900
    assert set(tried.others) == {*IDLE_KINDS, "made-up signs"}
    names = {sign.glosses[0] for sign in tried.others["made-up signs"]}
    assert not names & {sign.glosses[0] for sign in tried.signs}
    idle = [each for kind in IDLE_KINDS for each in tried.others[kind]]
    assert not any(each.glosses for each in idle)
    assert tried.noise_scale == 1


def test_a_camera_network_is_tried_with_its_takes_and_with_what_a_camera_sees():
    tried = room_of(bundled("german"), [])
    assert len(tried.signs) == 60
    every = [*tried.signs, *(each for kind in tried.others.values() for each in kind)]
    assert {each.coordinates for each in every} == {Coordinates.IMAGE_NORMALISED}
    assert tried.noise_scale == room.NOISE_OF_IMAGE


def test_an_archive_gives_own_signs_and_other_peoples(archived):
    own = archived("own.npz", ["GO", "STOP", "GO"], **splits("test", "train", "val"))
    other = archived("other.npz", ["NOD", "GO"], **splits("", "test"))
    tried = room_of(bundled("commands"), [own, other])
    assert [sign.name for sign in tried.signs] == [
        "0_r0"
    ]  # GO of another vocabulary is another sign
    assert [each.glosses for each in tried.others["other"]] == [("NOD",)]
    assert "own" not in tried.others


def test_other_hands_are_where_the_network_expects_hands(archived):
    far = archived("far.npz", ["NOD", "NOD"])
    with np.load(far) as archive:
        arrays = {key: archive[key] for key in archive.files}
    np.savez(far, **arrays | {"xyz": arrays["xyz"] + np.float32(0.9)})
    tried = room_of(bundled("commands"), [far])
    place = room_recordings.situations.median_wrist(tried.signs)
    moved = room_recordings.situations.median_wrist(tried.others["far"])
    assert moved == pytest.approx(place, abs=0.05)


def test_pictures_are_no_other_movement_for_a_network_in_meters(archived):
    image = {"meta": np.array(json.dumps({"coordinates": "image_normalised"}))}
    tried = room_of(bundled("commands"), [archived("image.npz", ["GO", "NOD"], **image)])
    assert "image" not in tried.others
    assert len(tried.signs) > 2  # made up: those in the archive are of another sensor


def test_a_network_without_recordings_of_its_signs_is_refused(monkeypatch):
    monkeypatch.setattr(bundle, "takes_of", lambda path: None)
    with pytest.raises(WhisperSignError, match=r"no recordings of its signs.*--archives DIR"):
        room_of(bundled("german"), [])


def test_bench_measures_a_network_with_a_folder_of_archives(archived, capsys, monkeypatch):
    monkeypatch.setattr(room, "REST", 2.0)
    monkeypatch.setattr(room, "POSTURES", 2)
    monkeypatch.setattr(room, "VISITS", 2)
    monkeypatch.setattr(room_recordings, "OTHERS", 5)
    monkeypatch.setattr(room_recordings, "IDLE", 6)
    folder = archived("own.npz", ["GO", "STOP"], **splits("test", "test")).parent
    out = folder / "room.json"
    words = ["bench", "--only", "room", "--model", "commands", "--archives", str(folder)]
    assert main([*words, "--json", str(out)]) == 0
    (figures,) = json.loads(out.read_text())["room"].values()
    assert figures["signs"]["of"] == 2
    assert "| signs as recorded, exactly right |" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["none", "empty"])
def test_a_folder_without_archives_is_refused(name, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    words = ["bench", "--only", "room", "--archives", str(tmp_path / name)]
    assert main(words) == 2
    assert "holds no .npz archive" in capsys.readouterr().err
    assert main(["bench", "--only", "loading", "--archives", str(tmp_path)]) == 2
    assert "it is for room" in capsys.readouterr().err
