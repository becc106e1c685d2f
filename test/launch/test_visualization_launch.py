# SPDX-License-Identifier: MIT
"""The launch file with ``visualize:=true``: hands and glosses are drawn for whoever looks."""

import unittest

import pytest

REASON = "the ROS 2 launch packages are missing; they come with a ROS 2 distribution"
launch = pytest.importorskip("launch", reason=REASON)
launch_testing = pytest.importorskip("launch_testing", reason=REASON)
pytest.importorskip("launch_ros", reason=REASON)

from launch_testing.actions import ReadyToTest  # noqa: E402
from launched import Listener, included  # noqa: E402
from visualization_msgs.msg import MarkerArray  # noqa: E402

from whispersign_ros.node import qos  # noqa: E402
from whispersign_ros.node.assets import DEMO_BAG, DEMO_MODEL  # noqa: E402


@pytest.mark.launch_test
def generate_test_description():
    arguments = {
        "source": "replay",
        "bag": str(DEMO_BAG),
        "model": str(DEMO_MODEL),
        "namespace": "robot3",
        "visualize": "true",
    }
    graph = included("whispersign", **arguments)
    return launch.LaunchDescription([graph, ReadyToTest()])


class TestMarkers(unittest.TestCase):
    def test_hands_and_glosses_are_drawn(self):
        drawn: set[str] = set()

        def see(message: MarkerArray) -> None:
            drawn.update(marker.ns for marker in message.markers if marker.action == marker.ADD)

        with Listener(namespace="robot3") as screen:
            qos.subscribe(screen.node, MarkerArray, "markers", qos.MARKERS, see)
            screen.until(lambda: {"right", "partial", "gloss"} <= drawn)
            assert drawn == {"left", "right", "gloss", "partial"}


@launch_testing.post_shutdown_test()
class TestShutdown(unittest.TestCase):
    def test_every_process_ends_cleanly(self, proc_info):
        assert len(proc_info.process_names()) == 5
        launch_testing.asserts.assertExitCodes(proc_info)
