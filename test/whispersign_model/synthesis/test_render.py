# SPDX-License-Identifier: MIT
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from whispersign_model.errors import ConfigError, RecordingError
from whispersign_model.recordings.recording import Recording
from whispersign_model.skeleton import LEFT, RIGHT
from whispersign_model.synthesis import render
from whispersign_model.synthesis.camera import Camera
from whispersign_model.synthesis.lexicon import default_lexicon
from whispersign_model.synthesis.render import Look, Renderer, positions_at, write_video
from whispersign_model.synthesis.sensor import SensorModel
from whispersign_model.synthesis.sheet import CELL, COLUMNS, draw_sheet, write_sheet
from whispersign_model.synthesis.signer import Signer
from whispersign_model.synthesis.style import SignerStyle

RENDERER = Renderer()


@pytest.fixture(scope="module")
def recording() -> Recording:
    signer = Signer(0, SignerStyle(), sensor=SensorModel.ideal(30.0), naturalness=0)
    return signer.sign_sentence(["OPEN"], lead=0.2, tail=0.2)


@pytest.fixture(scope="module")
def frame(recording: Recording) -> np.ndarray:
    segment = recording.segments[0]
    return recording.between(segment.start, segment.end).positions[5]


def is_skin(picture: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    x, y = np.round(pixels).astype(int).T
    blue, _, red = np.moveaxis(picture[y, x].astype(int), -1, 0)
    return red > blue + 20


def test_hands_are_drawn_where_the_camera_sees_the_joints(frame: np.ndarray) -> None:
    picture = RENDERER.draw(frame, (True, True))
    assert picture.shape == (480, 640, 3)
    assert picture.dtype == np.uint8
    for hand in (LEFT, RIGHT):
        assert is_skin(picture, RENDERER.camera.project(frame[hand])).all()


def test_an_untracked_hand_is_not_drawn(frame: np.ndarray) -> None:
    empty = RENDERER.draw(np.zeros((42, 3)), (False, False))
    picture = RENDERER.draw(frame, (False, True))
    np.testing.assert_array_equal(empty[:, 330:], picture[:, 330:])
    assert is_skin(picture, RENDERER.camera.project(frame[RIGHT])).all()
    assert not is_skin(picture, RENDERER.camera.project(frame[LEFT])).any()


def test_the_same_frame_gives_the_same_picture(frame: np.ndarray) -> None:
    first, second = (Renderer().draw(frame, (True, True)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_what_lies_behind_a_finger_is_in_its_shadow(
    frame: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    shaded = RENDERER.draw(frame, (True, True)).astype(int)
    monkeypatch.setattr(render, "SHADOW_SHADE", 1.0)
    bright = RENDERER.draw(frame, (True, True)).astype(int)
    assert (shaded <= bright + 1).all()
    assert 50 < np.count_nonzero((bright - shaded).max(axis=-1) > 5) < 20_000


def test_signers_look_different() -> None:
    looks = {Look.of_signer(seed).skin for seed in range(10)}
    assert len(looks) == 10
    assert Look.of_signer(3) == Look.of_signer(3)
    for look in map(Look.of_signer, range(30)):
        assert sum(look.skin) > 1.5 * max(sum(look.wall), sum(look.shirt))


def test_a_hand_behind_the_camera_is_left_out(frame: np.ndarray) -> None:
    behind = frame - [0, 0, 2]
    np.testing.assert_array_equal(
        RENDERER.draw(behind, (True, True)), RENDERER.draw(behind, (False, False))
    )


def test_positions_at_gives_the_nearest_frames(recording: Recording) -> None:
    shown = list(positions_at(recording, 15.0))
    assert len(shown) == round(recording.duration * 15) + 1
    seconds, positions, tracked = shown[7]
    assert seconds == pytest.approx(7 / 15)
    np.testing.assert_array_equal(positions, recording.positions[14])
    assert tracked == (True, True)
    lost = replace(recording, confidence=np.where(np.arange(42) < 21, 0, recording.confidence))
    assert next(iter(positions_at(lost, 15.0)))[2] == (False, True)


def test_a_video_holds_every_frame(tmp_path: Path, recording: Recording) -> None:
    path = tmp_path / "deep" / "sign.mp4"
    renderer = Renderer(Camera.sized(320, 240))
    frames = write_video(recording, path, 10.0, renderer)
    assert [p.name for p in path.parent.iterdir()] == ["sign.mp4"]
    film = cv2.VideoCapture(str(path))
    assert film.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    pictures = []
    while (read := film.read())[0]:
        pictures.append(read[1])
    assert len(pictures) == frames == int(recording.duration * 10) + 1
    assert pictures[0].shape == (240, 320, 3)
    middle = frames // 2
    nearest = list(positions_at(recording, 10.0))[middle][1]
    drawn = renderer.draw(nearest, (True, True)).astype(int)
    assert np.abs(pictures[middle].astype(int) - drawn).mean() < 4  # but for the compression


def test_nothing_to_render_is_refused(tmp_path: Path, recording: Recording) -> None:
    empty = recording.between(0, -1)
    with pytest.raises(RecordingError, match="no frames"):
        write_video(empty, tmp_path / "none.mp4")
    assert not list(tmp_path.iterdir())


def test_the_sheet_shows_every_sign(tmp_path: Path) -> None:
    lexicon = default_lexicon()
    few = lexicon.model_copy(update={"signs": dict(list(lexicon.signs.items())[:8])})
    sheet = draw_sheet(few)
    assert sheet.shape == (2 * CELL[1], COLUMNS * CELL[0], 3)
    write_sheet(few, tmp_path / "sheet.png")
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "sheet.png")), sheet)
    cells = sheet.reshape(2, CELL[1], COLUMNS, CELL[0], 3).swapaxes(1, 2).reshape(12, -1)
    assert all(cell.std() > 5 for cell in cells[:8])
    assert (cells[8:] == 0).all()
    with pytest.raises(ConfigError, match=r"\.gif"):
        write_sheet(few, tmp_path / "sheet.gif")
