# SPDX-License-Identifier: MIT
"""replay.launch.py: the bundled recording in its own time gives its glosses at recorded times."""

import unittest

import pytest

REASON = "the ROS 2 launch packages are missing; they come with a ROS 2 distribution"
launch = pytest.importorskip("launch", reason=REASON)
launch_testing = pytest.importorskip("launch_testing", reason=REASON)
pytest.importorskip("launch_ros", reason=REASON)

from launch_testing.actions import ReadyToTest  # noqa: E402
from launched import Listener, included  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402

from whispersign_model.recordings.bags.bag import read_bag  # noqa: E402
from whispersign_msgs.msg import Gloss  # noqa: E402
from whispersign_ros.conversions.messages import nanoseconds  # noqa: E402
from whispersign_ros.node import qos  # noqa: E402
from whispersign_ros.node.assets import DEMO_BAG  # noqa: E402


@pytest.mark.launch_test
def generate_test_description():
    graph = included("replay", bag=str(DEMO_BAG), namespace="past")
    return launch.LaunchDescription([graph, ReadyToTest()])


class TestGlosses(unittest.TestCase):
    def test_glosses_and_clock_are_of_the_time_of_the_recording(self):
        recording = read_bag(DEMO_BAG)
        expected = list(recording.glosses)
        glosses: list[Gloss] = []
        simulated = [Parameter("use_sim_time", value=True)]
        with Listener(namespace="past", parameter_overrides=simulated) as listener:
            node = listener.node
            qos.subscribe(node, Gloss, "gloss", qos.GLOSS, glosses.append)
            listener.until(lambda: len(glosses) >= len(expected))
            assert [message.gloss for message in glosses] == expected
            first, last = int(recording.stamps[0]), int(recording.stamps[-1])
            assert first < nanoseconds(glosses[0].start_time) < last
            assert first < node.get_clock().now().nanoseconds <= last


@launch_testing.post_shutdown_test()
class TestShutdown(unittest.TestCase):
    def test_every_process_ends_cleanly(self, proc_info):
        assert len(proc_info.process_names()) == 4
        launch_testing.asserts.assertExitCodes(proc_info)
