"""Pictures from files, folders and devices, with the times they were taken."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from whispersign_model.errors import SensorError
from whispersign_model.recordings.recording import NANOSECONDS
from whispersign_model.sensors import pictures as module
from whispersign_model.sensors.pictures import (
    Device,
    Grabbed,
    ImageFolder,
    Newest,
    Played,
    VideoFile,
)
from whispersign_model.sensors.sensor import SensorEndError


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


class Capture:
    """A capture of OpenCV's that gives the stamps it is told, in milliseconds."""

    def __init__(self, stamps, rate=0.0, shape=(48, 64, 3)):
        self.stamps, self.rate, self.shape, self.now = list(stamps), rate, shape, 0.0
        self.settings = {}

    def isOpened(self):  # noqa: N802
        return True

    def set(self, key, value):
        self.settings[key] = value

    def get(self, key):
        return {cv2.CAP_PROP_POS_MSEC: self.now, cv2.CAP_PROP_FPS: self.rate}.get(key, 0.0)

    def read(self):
        if not self.stamps:
            return False, None
        self.now = self.stamps.pop(0)
        return True, np.zeros(self.shape, np.uint8)

    def release(self):
        pass


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


def test_a_video_that_ends_early_says_how_much_is_missing(monkeypatch, tmp_path):
    path = write(tmp_path / "a.mp4", frames=1)
    capture = Capture([0.0, 40.0, 80.0])
    capture.get = lambda key: 10.0 if key == cv2.CAP_PROP_FRAME_COUNT else capture.now
    monkeypatch.setattr(module.cv2, "VideoCapture", lambda *_: capture)
    video = VideoFile(path)
    assert len(read_all(video)) == 3
    assert video.drops == {"unreadable_pictures": 7}


@pytest.mark.parametrize("shape", [(47, 63), (47, 63, 1), (47, 63, 3), (47, 63, 4)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_images_of_every_kind_are_in_colour(shape, kind):
    full = 255 if kind is np.uint8 else 65535
    pixels = module._colour(np.full(shape, full, kind))
    assert (pixels.shape, pixels.dtype, pixels.min()) == ((47, 63, 3), np.uint8, 255)


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


def test_a_played_file_has_the_times_of_now(tmp_path):
    before = time.monotonic_ns()
    found = read_all(Played(VideoFile(write(tmp_path / "a.mp4"))))
    after = time.monotonic_ns()
    stamps = [picture.stamp for picture in found]
    assert np.diff(stamps) == pytest.approx([40e6] * 9, abs=1e3)
    assert before < stamps[0] < stamps[-1] <= after


def test_a_driver_stamps_its_pictures(monkeypatch):
    now = time.monotonic_ns()
    capture = Capture([(now - 20_000_000) / 1e6, (now - 10_000_000) / 1e6])
    monkeypatch.setattr(module.cv2, "VideoCapture", lambda *_: capture)
    device = Device("0")
    device.open()
    stamps = [device.read(1.0).stamp for _ in range(2)]
    assert stamps == pytest.approx([now - 20_000_000, now - 10_000_000], abs=1000)
    assert capture.settings[cv2.CAP_PROP_FRAME_WIDTH] == 1280
    with pytest.raises(SensorError, match=r"camera 0: gives no picture"):
        device.read(1.0)
    assert not device.drops


def test_a_driver_without_stamps_is_counted(monkeypatch):
    capture = Capture([0.0, 0.0])
    monkeypatch.setattr(module.cv2, "VideoCapture", lambda *_: capture)
    device = Device("0")
    device.open()
    before = time.monotonic_ns()
    assert before <= device.read(1.0).stamp < device.read(1.0).stamp
    assert device.drops == {"pictures_without_stamp": 2}


def test_a_device_that_is_not_there():
    with pytest.raises(SensorError, match=r"/dev/v4l/by-id/nosuch: there is no such device"):
        Device("/dev/v4l/by-id/nosuch").open()


def test_the_newest_picture_wins():
    newest = Newest()
    for number in (1, 2, 3):
        newest.put(number)
    assert newest.take(1.0) == 3
    assert newest.dropped == 2
    assert newest.take(0.01) is None
    newest.put(4)
    newest.fail(SensorEndError())
    assert newest.take(1.0) == 4
    with pytest.raises(SensorEndError):
        newest.take(1.0)


class Endless:
    """Pictures as fast as they are asked for, until it fails."""

    host_clock = True
    drops = module.Counter()

    def __init__(self):
        self.given, self.error = 0, None

    def open(self):
        self.given = 0

    def read(self, timeout):
        if self.error:
            raise self.error
        self.given += 1
        time.sleep(0.001)
        return module.Picture(self.given * NANOSECONDS, np.zeros((2, 2, 3), np.uint8))

    def close(self):
        pass


def test_a_slow_reader_gets_new_pictures_and_the_count_of_those_it_missed():
    source = Endless()
    grabbed = Grabbed(source)
    grabbed.open()
    seen = []
    for _ in range(3):
        seen.append(grabbed.read(5.0).stamp // NANOSECONDS)
        time.sleep(0.05)
    grabbed.close()
    assert seen == sorted(set(seen))
    missed = grabbed.drops["pictures_too_fast"]
    assert missed in (source.given - len(seen), source.given - len(seen) - 1)  # one waited
    assert missed > 0


def test_what_the_source_raises_reaches_the_reader():
    source = Endless()
    grabbed = Grabbed(source)
    grabbed.open()
    assert grabbed.read(5.0) is not None
    source.error = SensorError("camera 0", "gives no picture")
    while grabbed._thread.is_alive():
        time.sleep(0.001)
    grabbed._newest.take(0.0)
    with pytest.raises(SensorError, match=r"camera 0: gives no picture"):
        grabbed.read(5.0)
    grabbed.close()
