# SPDX-License-Identifier: MIT
"""Fixtures of all tests: recordings, an isolated ROS domain, and a temporary log folder."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import numpy as np
import pytest
from hypothesis import settings

from whispersign_model.skeleton import JOINTS_PER_HAND
from whispersign_ros.node.discovery import free_domain, isolate

FRAMES = 12  # number of frames in a random recording
EXPENSIVE = ("exports", "trained")  # fixtures that only one worker should create
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# A background job of a shell ignores Ctrl-C, and one of nohup SIGHUP. So would every process that a
# test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
# For small networks on a shared machine, synchronizing threads costs more time than it saves.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Otherwise, ROS writes its logs to the home folder. This must be set before any test starts ROS.
os.environ["ROS_LOG_DIR"] = tempfile.mkdtemp(prefix="whispersign_test_log_")


def own_domain() -> tuple[int, TextIO]:
    """Return a ROS domain that no other test process uses, and the file that locks it."""
    while True:
        domain = free_domain()
        lock = Path(tempfile.gettempdir(), f"whispersign_test_domain_{domain}").open("w")  # noqa: SIM115
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return domain, lock


# This must be set before any test starts ROS. Processes that tests start inherit it.
DOMAIN, DOMAIN_LOCK = own_domain()
isolate(os.environ, DOMAIN)

# --hypothesis-profile selects one. Examples have no deadline, because a shared machine may be slow.
settings.register_profile("all", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=20)
settings.load_profile("all")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist's hook, which reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests that start ROS nodes or share an expensive fixture on the same worker."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "graph" in fixtures:
            item.add_marker(pytest.mark.graph)
        if item.get_closest_marker("graph"):
            item.add_marker(pytest.mark.xdist_group("graph"))
        elif shared := [name for name in EXPENSIVE if name in fixtures]:
            item.add_marker(pytest.mark.xdist_group(shared[0]))


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str | Path], Path]:
    """Return a function that returns the path of real recordings, or skips the test.

    It returns an absolute path, such as that of bundled takes, as it is.
    """

    def find(name: str | Path) -> Path:
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"the recordings beside the repository are missing: {path}")
        return path

    return find


@pytest.fixture
def one_hand(monkeypatch: pytest.MonkeyPatch) -> type:
    """Replace the detector by one that finds one right hand in every image.

    The hand is half a meter in front of a camera with a field of view of 90 degrees. Returns the
    class of the detector, whose ``looked`` counts images.
    """
    pytest.importorskip("cv2")
    from whispersign_model.sensors import camera, detector

    shape = np.random.default_rng(0).normal(0, 0.04, (JOINTS_PER_HAND, 3))
    shape -= shape.mean(axis=0)

    class OneHand:
        looked = 0

        def __init__(self, options: object) -> None:
            pass

        def detect(self, pixels: np.ndarray, stamp: int) -> list[detector.Detection]:
            OneHand.looked += 1
            height, width = pixels.shape[:2]
            before = shape + np.array([0.0, 0.0, 0.5])
            points = before[:, :2] / before[:, 2:] * width / 2 + (width / 2, height / 2)
            return [detector.Detection(0.9, points, before[:, 2] * width, shape)]

        def close(self) -> None:
            pass

    monkeypatch.setattr(camera, "HandDetector", OneHand)
    monkeypatch.setattr(detector, "find_bundle", lambda given: Path(given))
    return OneHand


@pytest.fixture
def write_archive() -> Callable[[Path, list[str], list[str]], None]:
    """Return a function that writes an archive of random recordings.

    Its arguments are the sign and the signer of each recording.
    """

    def write(path: Path, signs: list[str], signers: list[str]) -> None:
        count = len(signs)
        classes = sorted(set(signs))
        positions = np.random.default_rng(0).normal(0.1, 0.02, (FRAMES * count, 42, 3))
        np.savez(
            path,
            xyz=positions.astype(np.float32),
            t=np.tile(np.arange(FRAMES) / 30, count),
            ptr=np.arange(count + 1) * FRAMES,
            lab=np.array([classes.index(sign) for sign in signs]),
            lptr=np.arange(count + 1),
            classes=np.array(classes),
            subject=np.array(signers),
            split=np.array([""] * count),
            sid=np.array([f"r{i}" for i in range(count)]),
            seg=np.zeros((0, 4), int),
            meta=np.array(json.dumps({"coordinates": "metric_sensor"})),
        )

    return write
