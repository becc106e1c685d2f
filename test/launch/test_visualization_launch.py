"""The launch file with ``visualize:=true``: hands and glosses are drawn for whoever looks."""

import time
import unittest
from pathlib import Path

import pytest

REASON = "the ROS 2 launch packages are missing; they come with a ROS 2 distribution"
launch = pytest.importorskip("launch", reason=REASON)
launch_testing = pytest.importorskip("launch_testing", reason=REASON)
pytest.importorskip("launch_ros", reason=REASON)

import rclpy  # noqa: E402
from launch.actions import IncludeLaunchDescription  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402
from launch_testing.actions import ReadyToTest  # noqa: E402
from visualization_msgs.msg import MarkerArray  # noqa: E402

from whispersign_ros import qos  # noqa: E402
from whispersign_ros.assets import DEMO_BAG, DEMO_MODEL  # noqa: E402

LAUNCH_FILE = Path(__file__).parents[2] / "launch/whispersign.launch.py"
PATIENCE = 120.0  # seconds: only how long a failing test waits


@pytest.mark.launch_test
def generate_test_description():
    arguments = {
        "source": "replay",
        "bag": str(DEMO_BAG),
        "model": str(DEMO_MODEL),
        "namespace": "robot3",
        "visualize": "true",
    }
    graph = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(LAUNCH_FILE)), launch_arguments=arguments.items()
    )
    return launch.LaunchDescription([graph, ReadyToTest()])


class TestMarkers(unittest.TestCase):
    def test_hands_and_glosses_are_drawn(self):
        drawn: set[str] = set()
        context = rclpy.Context()
        rclpy.init(context=context)
        node = rclpy.create_node("screen", namespace="robot3", context=context)
        executor = rclpy.executors.SingleThreadedExecutor(context=context)
        executor.add_node(node)

        def see(message: MarkerArray) -> None:
            drawn.update(marker.ns for marker in message.markers if marker.action == marker.ADD)

        try:
            qos.subscribe(node, MarkerArray, "markers", qos.MARKERS, see)
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end and not {"right", "partial", "gloss"} <= drawn:
                executor.spin_once(timeout_sec=0.2)
            assert drawn == {"left", "right", "gloss", "partial"}
        finally:
            node.destroy_node()
            rclpy.shutdown(context=context)


@launch_testing.post_shutdown_test()
class TestShutdown(unittest.TestCase):
    def test_every_process_ends_cleanly(self, proc_info):
        assert len(proc_info.process_names()) == 5
        launch_testing.asserts.assertExitCodes(proc_info)
