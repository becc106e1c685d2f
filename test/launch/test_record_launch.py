# SPDX-License-Identifier: MIT
"""record.launch.py with a made-up person: takes in a namespace, until the session is ended."""

import tempfile
import time
import unittest
from pathlib import Path

import pytest

REASON = "the ROS 2 launch packages are missing; they come with a ROS 2 distribution"
launch = pytest.importorskip("launch", reason=REASON)
launch_testing = pytest.importorskip("launch_testing", reason=REASON)
pytest.importorskip("launch_ros", reason=REASON)

from launch_testing.actions import ReadyToTest  # noqa: E402
from launched import included, wait  # noqa: E402

from whispersign_model.recordings.bags.bag import read_bag  # noqa: E402
from whispersign_model.recordings.takes import find_takes  # noqa: E402


@pytest.mark.launch_test
def generate_test_description():
    out = tempfile.mkdtemp()
    arguments = {
        "source": "synthetic",
        "glosses": "NO,HELLO|HOME",
        "takes": "2",
        "signer": "007",
        "out": out,
        "seed": "4",
        "shuffle": "false",
        "rest": "3.0",  # the session must not end by itself, as that would end the test
        "namespace": "booth",
    }
    session = included("record", **arguments)
    return launch.LaunchDescription([session, ReadyToTest()]), {"out": Path(out)}


class TestRecording(unittest.TestCase):
    def test_takes_come(self, out):
        wait(lambda: len(find_takes(out)) >= 2, lambda: time.sleep(0.2))
        found = [(take.gloss, take.number, take.signer) for take in find_takes(out)]
        assert found == [("HELLO|HOME", 0, "007"), ("NO", 0, "007")]
        recording = read_bag(out / "NO_007_take0")
        assert recording.segments[0].glosses == ("NO",)
        assert recording.confidence.any()


@launch_testing.post_shutdown_test()
class TestShutdown(unittest.TestCase):
    def test_every_process_ends_cleanly(self, proc_info):
        assert len(proc_info.process_names()) == 2
        launch_testing.asserts.assertExitCodes(proc_info)
