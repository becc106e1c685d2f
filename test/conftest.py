"""What all tests share: real recordings where they are at hand, and logs kept out of the home."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# A shell's background job ignores Ctrl-C, and so would every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Small networks on shared machines: threads that wait for each other cost more than they give.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# ROS would write its logs into the home folder. Set before any test starts ROS.
os.environ["ROS_LOG_DIR"] = tempfile.mkdtemp(prefix="whispersign_test_log_")

settings.register_profile("whispersign", deadline=None)  # a shared machine may be slow
settings.load_profile("whispersign")


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Return a function that gives the path of a real recording by name, or skips the test."""

    def find(name: str) -> Path:
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"the recordings beside the repository are missing: {path}")
        return path

    return find
