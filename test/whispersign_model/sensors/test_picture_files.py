# SPDX-License-Identifier: MIT
"""Pictures from video files and folders, with the times they were taken."""

from __future__ import annotations

import os
import struct
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from whispersign_model.errors import SensorError
from whispersign_model.sensors import picture_files as module
from whispersign_model.sensors.picture_files import Excerpt, ImageFolder, Played, VideoFile
from whispersign_model.sensors.sensor import SensorEndError

from .capture import Capture
from .mp4 import turned, uneven
from .videos import cut_off, damage, lengthen_header, write_video


def write(path, sizes=(64, 48), frames=10, rate=25.0):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, sizes)
    for number in range(frames):
        writer.write(np.full((sizes[1], sizes[0], 3), 20 * number, np.uint8))
    writer.release()
    return path


def read_all(pictures):
    pictures.open()
    found = []
    try:
        while True:
            picture = pictures.read(0.5)
            if picture is not None:
                found.append(picture)
    except SensorEndError:
        return found
    finally:
        pictures.close()


def test_a_video_has_its_own_times(tmp_path):
    video = VideoFile(write(tmp_path / "a.mp4"))
    found = read_all(video)
    assert [round(picture.stamp / 1e6) for picture in found] == [40 * n for n in range(10)]
    assert [round(p.pixels.mean() / 20) for p in found] == list(range(10))
    assert (video.number, video.invented_stamps, sum(video.drops.values())) == (10, 0, 0)


@pytest.mark.parametrize(("rate", "interval"), [(25.0, 40), (0.0, 100 / 3), (90_000.0, 100 / 3)])
def test_times_that_repeat_step_back_or_are_missing(monkeypatch, tmp_path, rate, interval):
    path = write(tmp_path / "a.mp4", frames=1)
    capture = Capture([0.0, 0.0, 0.0, 200.0, 150.0], rate)
    monkeypatch.setattr(module.cv2, "VideoCapture", lambda *_: capture)
    video = VideoFile(path)
    stamps = [picture.stamp / 1e6 for picture in read_all(video)]
    assert stamps == pytest.approx([0, interval, 2 * interval, 200, 200 + interval], abs=1e-3)
    assert video.invented_stamps == 3


def test_faults_of_a_video(tmp_path):
    with pytest.raises(SensorError, match=r"nosuch.mp4: there is no such file"):
        VideoFile(tmp_path / "nosuch.mp4").open()
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(SensorError, match=r"text.mp4: is not a video that can be read"):
        VideoFile(tmp_path / "text.mp4").open()


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4v", ".3gp", ".mkv", ".webm", ".flv",
                                    ".avi", ".wmv", ".TS", ".mts"])  # fmt: skip
def test_reading_goes_on_behind_damaged_pictures(tmp_path, suffix):
    path = write_video(tmp_path / f"a{suffix}")
    video = VideoFile(path)
    assert len(read_all(video)) == 100
    assert video.loss() is None
    assert not video.drops
    video = VideoFile(damage(path))
    stamps = [picture.stamp / 1e9 for picture in read_all(video)]
    loss = video.loss()
    assert loss is not None
    assert 60 < len(stamps) < 97
    assert (loss.pictures, loss.total) == (100 - len(stamps), 100)
    assert video.drops == {"unreadable_pictures": loss.pictures}
    if suffix != ".avi":  # which has no stamps
        assert stamps[-1] == pytest.approx(3.96, abs=0.25)
        assert 0.6 < loss.start < loss.end < 3
    assert f"{loss.pictures} of 100 pictures cannot be read, from {loss.start:.2f} s" in str(loss)


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".flv", ".avi"])
def test_a_cut_says_what_is_missing_up_to_the_end(tmp_path, suffix):
    video = VideoFile(cut_off(write_video(tmp_path / f"a{suffix}")))
    found = read_all(video)
    loss = video.loss()
    assert loss is not None
    assert (loss.pictures, loss.total) == (100 - len(found), 100)
    assert loss.end == pytest.approx(4.0, abs=0.05)


def test_a_header_of_a_longer_file_is_no_loss(tmp_path):
    video = VideoFile(lengthen_header(write_video(tmp_path / "a.webm"), 9.0))
    assert len(read_all(video)) == 100
    assert video.number == 225
    assert video.loss() is None
    assert not video.drops


def test_an_excerpt_says_what_it_has_met(tmp_path):
    video = VideoFile(damage(write_video(tmp_path / "a.mkv")))
    read_all(Excerpt(video, duration=0.5))
    assert video.loss() is None
    read_all(Excerpt(video, duration=3.5))
    assert video.loss() is not None


@pytest.mark.parametrize("name", ["10:30:12.mp4", "a%03d.mp4", "-a.mp4", "ü [1] b.mp4", "a:%d.avi"])
def test_odd_names(tmp_path, monkeypatch, name):
    write_video(tmp_path / name, frames=3)
    monkeypatch.chdir(tmp_path)
    assert len(read_all(VideoFile(Path(name)))) == 3


def test_a_codec_without_a_decoder_is_named(tmp_path):
    path = write_video(tmp_path / "a.mov", frames=3)
    content = path.read_bytes()
    assert content.count(b"mp4v") == 1
    path.write_bytes(content.replace(b"mp4v", b"XQ9z").replace(b"esds", b"free"))
    with pytest.raises(SensorError, match=r"a.mov: cannot be decoded here \(codec XQ9z\); convert"):
        VideoFile(path).open()


def test_a_codec_of_which_no_picture_can_be_decoded_is_named(tmp_path):
    path = write_video(tmp_path / "a.avi", frames=3)
    path.write_bytes(path.read_bytes().replace(b"MJPG", b"MPNG"))
    with pytest.raises(SensorError, match=r"holds no picture that can be read \(codec MPNG\)"):
        read_all(VideoFile(path))


@pytest.mark.parametrize("size", [(32768, 2), (2, 40000)])
def test_a_picture_too_large_for_the_detector_is_refused_unread(tmp_path, size):
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, 0, 25.0, size)
    writer.write(np.zeros((size[1], size[0], 3), np.uint8))
    writer.release()
    with pytest.raises(SensorError, match=rf"a.avi: a picture of {size[0]}x{size[1]} pixels"):
        VideoFile(path).open()


def test_a_folder_is_read_in_natural_order(tmp_path):
    for number in (10, 9, 1):
        cv2.imwrite(str(tmp_path / f"p{number}.png"), np.full((21, 33), 20 * number, np.uint8))
    (tmp_path / "p2.png").write_text("broken")
    (tmp_path / "notes.txt").write_text("no image")
    folder = ImageFolder(tmp_path, rate=10.0)
    found = read_all(folder)
    assert [int(picture.pixels[0, 0, 0]) for picture in found] == [20, 180, 200]
    assert [picture.stamp for picture in found] == [0, 2 * 10**8, 3 * 10**8]
    assert folder.drops == {"unreadable_pictures": 1}
    (tmp_path / "empty").mkdir()
    with pytest.raises(SensorError, match=r"holds no image"):
        ImageFolder(tmp_path / "empty").open()


def test_a_folder_of_12_bit_images_is_as_bright(tmp_path):
    for number, value in enumerate((4000, 500)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((21, 33), value, np.uint16))
    values = [int(picture.pixels[0, 0, 0]) for picture in read_all(ImageFolder(tmp_path))]
    assert values == [4000 >> 4, 500 >> 4]


def png(width, height):
    """Return a PNG file whose header promises more than its data holds."""

    def chunk(name, data):
        checksum = zlib.crc32(name + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + name + data + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(9))), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_odd_images_of_a_folder_are_lost_one_by_one(tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), np.full((21, 33, 3), 20, np.uint8))
    sizes = ((60000, 60000), (2**31 - 1, 1), (0, 0))
    for number, size in enumerate(sizes):
        (tmp_path / f"1{number}.png").write_bytes(png(*size))
    cv2.imwrite(str(tmp_path / "20.png"), np.zeros((1, 32767, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "30.png"), np.full((21, 33, 3), 30, np.uint8))
    folder = ImageFolder(tmp_path)
    assert [int(picture.pixels[0, 0, 0]) for picture in read_all(folder)] == [20, 30]
    assert folder.drops == {"unreadable_pictures": 4}


def test_a_played_file_has_the_times_of_now(tmp_path):
    before = time.monotonic_ns()
    found = read_all(Played(VideoFile(write(tmp_path / "a.mp4"))))
    after = time.monotonic_ns()
    stamps = [picture.stamp for picture in found]
    assert np.diff(stamps) == pytest.approx([40e6] * 9, abs=1e3)
    assert before < stamps[0] < stamps[-1] <= after


def test_a_video_of_a_phone_held_upright_is_turned(tmp_path):
    path = tmp_path / "a.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25.0, (64, 48))
    bright_left = np.zeros((48, 64, 3), np.uint8)
    bright_left[:, :32] = 255
    for _ in range(3):
        writer.write(bright_left)
    writer.release()
    turned(path)
    for picture in read_all(VideoFile(path)):
        assert picture.pixels.shape == (64, 48, 3)
        assert picture.pixels[:24].mean() > 200  # what was on the left is above
        assert picture.pixels[40:].mean() < 50


def test_pictures_at_uneven_times_keep_them(tmp_path):
    path = write(tmp_path / "a.mp4", frames=6)
    uneven(path, [1, 3, 1, 1, 5, 1])
    video = VideoFile(path)
    found = read_all(video)
    assert [round(picture.stamp / 1e6) for picture in found] == [0, 40, 160, 200, 240, 440]
    assert video.invented_stamps == 0


@pytest.mark.parametrize("size", [(16, 16), (50, 202), (1366, 98)])
@pytest.mark.parametrize("colour", [True, False])
def test_unusual_sizes_and_grey(tmp_path, size, colour):
    path = tmp_path / "a.avi"
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), codec, 25.0, size, isColor=colour)
    for _ in range(3):
        writer.write(np.full((size[1], size[0], 3)[: 3 if colour else 2], 128, np.uint8))
    writer.release()
    found = read_all(VideoFile(path))
    assert [picture.pixels.shape for picture in found] == 3 * [(size[1], size[0], 3)]
    assert abs(int(found[0].pixels[5, 5, 0]) - 128) < 5


def test_a_video_that_was_cut_off(tmp_path):
    path = tmp_path / "a.avi"
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), codec, 25.0, (64, 48))
    generator = np.random.default_rng(0)
    for _ in range(20):
        writer.write(generator.integers(0, 255, (48, 64, 3), np.uint8))
    writer.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    video = VideoFile(path)
    found = read_all(video)
    assert 5 < len(found) < 15
    assert video.drops == {"unreadable_pictures": 20 - len(found)}
    whole = write(tmp_path / "b.mp4")
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])  # its index is at its end
    with pytest.raises(SensorError, match=r"b.mp4: is not a video that can be read"):
        VideoFile(whole).open()


def test_a_video_without_a_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(module.cv2, "VideoCapture", lambda *_: Capture([], rate=0.0))
    video = VideoFile(write(tmp_path / "a.mp4", frames=1))
    video.open()
    with pytest.raises(SensorError, match=r"a.mp4: holds no picture that can be read"):
        video.read(0.0)
    monkeypatch.undo()
    empty = tmp_path / "empty.mp4"
    empty.touch()
    with pytest.raises(SensorError, match=r"empty.mp4: is not a video that can be read"):
        VideoFile(empty).open()


def test_fifos_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    os.mkfifo(tmp_path / "b.mp4")
    with pytest.raises(SensorError, match="holds no image"):
        ImageFolder(tmp_path).open()
    with pytest.raises(SensorError, match=r"b\.mp4: cannot be read \(it is a FIFO"):
        VideoFile(tmp_path / "b.mp4").open()


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_decoder_says_nothing_of_a_damaged_image(tmp_path, capfd, suffix):
    pixels = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    encoded = cv2.imencode(suffix, pixels)[1]
    encoded[5000:5008] = 0
    for number, content in enumerate((encoded, encoded[:6000])):
        (tmp_path / f"{number}{suffix}").write_bytes(content.tobytes())
    read_all(ImageFolder(tmp_path))
    assert capfd.readouterr().err == ""
