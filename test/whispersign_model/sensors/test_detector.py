# SPDX-License-Identifier: MIT
"""When the detector looks through the whole picture for the other hand."""

import re
import signal
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from whispersign_model.errors import SensorError
from whispersign_model.sensors import detector as module
from whispersign_model.sensors.detector import (
    STILL_NEAR,
    DetectorOptions,
    HandDetector,
    find_bundle,
)

vision = pytest.importorskip("mediapipe.tasks.python.vision")

FRAME = 25_000_000  # nanoseconds
PIXELS = np.zeros((480, 640, 3), np.uint8)
PROCESS = Path("/proc/self")
SHOWN = PROCESS.exists() and "Seccomp_filters" in (PROCESS / "status").read_text()


class Landmarker:
    """MediaPipe's, which finds hands where ``scene`` says, at x in picture widths.

    Their depth, in picture widths, tells the number of hands that it was asked for.
    """

    def __init__(self, number, scene, looks):
        self.number, self.scene, self.looks = number, scene, looks
        self.clock = -1

    def detect_for_video(self, image, milliseconds):
        assert milliseconds > self.clock
        self.clock = milliseconds
        self.looks.append(self.number)
        hands = [self.hand(x) for x in self.scene[: self.number]]
        return SimpleNamespace(
            handedness=[[SimpleNamespace(category_name="Right", score=0.9)] for _ in hands],
            hand_landmarks=hands,
            hand_world_landmarks=hands,
        )

    def hand(self, x):
        ring = np.linspace(0, 2 * np.pi, 21, endpoint=False)
        points = np.stack(
            [x + 0.05 * np.cos(ring), 0.5 + 0.05 * np.sin(ring), 0 * ring + self.number]
        )
        return [SimpleNamespace(x=x, y=y, z=z) for x, y, z in points.T.tolist()]

    def close(self):
        self.looks.append("closed")


@pytest.fixture
def scene():
    """Where the hands are; a test moves them."""
    return [0.3]


@pytest.fixture
def looks():
    """How many hands MediaPipe was asked for, call by call."""
    return []


@pytest.fixture
def search():
    """Seconds from one look for the other hand to the next."""
    return 0.1


@pytest.fixture
def detector(monkeypatch, scene, looks, search):
    monkeypatch.setattr(module, "find_bundle", lambda given: "hands.task")
    monkeypatch.setattr(
        vision.HandLandmarker,
        "create_from_options",
        lambda options: Landmarker(options.num_hands, scene, looks),
    )
    return HandDetector(DetectorOptions(search=search))


def test_one_hand_is_followed_alone_and_the_other_looked_for_now_and_then(detector, looks):
    for number in range(9):
        assert len(detector.detect(PIXELS, number * FRAME)) == 1
    assert looks == [2, 1, 1, 1, 1, 2, 1, 1, 1, 1, 2]


def test_the_other_hand_is_found_within_the_time_of_a_search(detector, scene):
    detector.detect(PIXELS, 0)
    scene.append(0.7)
    found = [len(detector.detect(PIXELS, number * FRAME)) for number in range(1, 7)]
    assert found == [1, 1, 1, 2, 2, 2]


def test_a_hand_just_lost_is_looked_for_in_every_picture(detector, scene, looks):
    scene.append(0.7)
    detector.detect(PIXELS, 0)
    scene.pop()
    pictures = STILL_NEAR // FRAME
    for number in range(1, pictures + 3):
        detector.detect(PIXELS, number * FRAME)
    assert looks == [2] * pictures + [1, 1, 1]


def test_a_hand_is_followed_by_the_landmarker_that_sees_it_in_every_picture(detector, scene):
    hands = [detector.detect(PIXELS, 0)]
    for number in range(1, 6):
        scene[0] += 0.02
        hands.append(detector.detect(PIXELS, number * FRAME))
    assert [hand.depths[0] / PIXELS.shape[1] for (hand,) in hands] == [2, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("search", [0.0])
def test_without_a_time_of_search_every_picture_is_searched(detector, looks):
    for number in range(3):
        detector.detect(PIXELS, number * FRAME)
    assert looks == [2, 2, 2]


@pytest.mark.parametrize("there", [[], [0.7]])
def test_when_the_hand_that_was_followed_is_gone_the_same_picture_is_searched(
    detector, scene, looks, there
):
    detector.detect(PIXELS, 0)
    detector.detect(PIXELS, FRAME)
    scene[:] = there
    assert len(detector.detect(PIXELS, 2 * FRAME)) == len(there)
    assert looks == [2, 1, 1, 2]


def test_a_hand_may_move_by_its_width_and_be_the_same(detector, scene, looks):
    for number in range(4):
        detector.detect(PIXELS, number * FRAME)
        scene[0] += 0.08
    assert looks == [2, 1, 1, 1]


def test_without_hands_every_picture_is_searched(detector, scene, looks):
    scene.clear()
    for number in range(3):
        detector.detect(PIXELS, number * FRAME)
    assert looks == [2, 2, 2]


def test_time_that_steps_back_is_searched(detector, looks):
    for stamp in (10**12, 10**12 + FRAME, FRAME, 2 * FRAME):
        detector.detect(PIXELS, stamp)
    assert looks == [2, 1, 1, 2, 1]


def test_both_landmarkers_are_closed(detector, looks):
    detector.close()
    assert looks == ["closed", "closed"]


ABSENT = "cannot open shared object file: No such file or directory"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(f"libEGL.so.1: {ABSENT}"), r"^camera: the system library libEGL.so.1 is missing;"),
        (RuntimeError("Unable to open zip archive."), r"hands.task: is not a .*zip archive.\); cr"),
    ],
)
def test_what_mediapipe_cannot_load(monkeypatch, error, says):
    def fail(options):
        raise error

    monkeypatch.setattr(module, "find_bundle", lambda given: "hands.task")
    monkeypatch.setattr(vision.HandLandmarker, "create_from_options", fail)
    with pytest.raises(SensorError, match=says):
        HandDetector()


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("cv2", ImportError(f"libGL.so.1: {ABSENT}"), "library libGL.so.1 is missing; .* libgl1 "),
        ("mediapipe", OSError(f"libGLESv2.so.2: {ABSENT}"), "library libGLESv2.so.2 is missing; "),
        ("cv2", ImportError("odd"), r"OpenCV or MediaPipe cannot be loaded \(ImportError: odd\);"),
        ("mediapipe", ModuleNotFoundError(name="mediapipe"), "package 'mediapipe' is missing; run"),
    ],
)
def test_an_import_that_fails(monkeypatch, name, error, says):
    class Finder:
        @staticmethod
        def find_spec(wanted, path=None, target=None):
            if wanted == name:
                raise error

    monkeypatch.setattr(module, "find_bundle", lambda given: "hands.task")
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    with pytest.raises(SensorError, match=f"^camera: .*{says}"):
        HandDetector()


def test_mediapipe_says_nothing(bundle, capfd):
    detector = HandDetector(DetectorOptions(str(bundle)))
    detector.detect(PIXELS, 0)
    detector.close()
    assert capfd.readouterr().err == ""


def test_a_user_without_a_home_has_no_cache(monkeypatch):
    def unknown(number):
        raise KeyError(number)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr(module, "CACHES", ("~/hands.task",))
    with pytest.raises(SensorError, match=r"^~/hands.task: the hand detector's model is missing"):
        find_bundle("")


def test_a_profiling_timer_of_mediapipe_cannot_end_the_process(detector):
    assert signal.SIGPROF in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    signal.pthread_kill(threading.get_ident(), signal.SIGPROF)  # its default action is to end us


def _filters(thread):
    """Return the number of filters that the kernel puts between a thread and the system."""
    status = (thread / "status").read_text()
    return int(re.search(r"^Seccomp_filters:\s+(\d+)$", status, re.MULTILINE)[1])


@pytest.mark.skipif(not SHOWN, reason="needs Linux 5.9 or later")
def test_no_thread_of_mediapipe_has_the_network(bundle):
    before = set((PROCESS / "task").iterdir())
    detector = HandDetector(DetectorOptions(model_file=str(bundle)))
    detector.detect(PIXELS, 0)
    started = set((PROCESS / "task").iterdir()) - before
    assert started
    assert {_filters(thread) for thread in started} == {_filters(PROCESS) + 1}
    detector.close()
