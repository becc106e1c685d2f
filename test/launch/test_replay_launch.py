"""replay.launch.py: the bundled recording in its own time gives its glosses at recorded times."""

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
from rclpy.parameter import Parameter  # noqa: E402

from whispersign_model.recordings.bag import read_bag  # noqa: E402
from whispersign_msgs.msg import Gloss  # noqa: E402
from whispersign_ros import qos  # noqa: E402
from whispersign_ros.assets import DEMO_BAG  # noqa: E402
from whispersign_ros.messages import nanoseconds  # noqa: E402

LAUNCH_FILE = Path(__file__).parents[2] / "launch/replay.launch.py"
PATIENCE = 120.0  # seconds: only how long a failing test waits


@pytest.mark.launch_test
def generate_test_description():
    arguments = {"bag": str(DEMO_BAG), "namespace": "past"}
    graph = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(LAUNCH_FILE)), launch_arguments=arguments.items()
    )
    return launch.LaunchDescription([graph, ReadyToTest()])


class TestGlosses(unittest.TestCase):
    def test_glosses_and_clock_are_of_the_time_of_the_recording(self):
        recording = read_bag(DEMO_BAG)
        expected = list(recording.glosses)
        glosses: list[Gloss] = []
        context = rclpy.Context()
        rclpy.init(context=context)
        node = rclpy.create_node(
            "listener",
            namespace="past",
            context=context,
            parameter_overrides=[Parameter("use_sim_time", value=True)],
        )
        executor = rclpy.executors.SingleThreadedExecutor(context=context)
        executor.add_node(node)
        try:
            qos.subscribe(node, Gloss, "gloss", qos.GLOSS, glosses.append)
            end = time.monotonic() + PATIENCE
            while len(glosses) < len(expected) and time.monotonic() < end:
                executor.spin_once(timeout_sec=0.2)
            assert [message.gloss for message in glosses] == expected
            first, last = int(recording.stamps[0]), int(recording.stamps[-1])
            assert first < nanoseconds(glosses[0].start_time) < last
            assert first < node.get_clock().now().nanoseconds <= last
        finally:
            node.destroy_node()
            rclpy.shutdown(context=context)


@launch_testing.post_shutdown_test()
class TestShutdown(unittest.TestCase):
    def test_every_process_ends_cleanly(self, proc_info):
        assert len(proc_info.process_names()) == 4
        launch_testing.asserts.assertExitCodes(proc_info)
