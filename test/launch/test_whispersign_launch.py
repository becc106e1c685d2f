"""The launch file as users start it: the bundled recording, in a namespace, gives its glosses."""

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

from whispersign_model.recordings.bag import read_bag  # noqa: E402
from whispersign_msgs.msg import Gloss, Vocabulary  # noqa: E402
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
        "namespace": "robot1",
    }
    graph = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(LAUNCH_FILE)), launch_arguments=arguments.items()
    )
    return launch.LaunchDescription([graph, ReadyToTest()])


class TestGlosses(unittest.TestCase):
    def test_the_recording_gives_its_glosses_in_the_namespace(self):
        expected = list(read_bag(DEMO_BAG).glosses)
        glosses: list[str] = []
        vocabularies: list[Vocabulary] = []
        context = rclpy.Context()
        rclpy.init(context=context)
        node = rclpy.create_node("listener", namespace="robot1", context=context)
        executor = rclpy.executors.SingleThreadedExecutor(context=context)
        executor.add_node(node)
        try:
            qos.subscribe(node, Gloss, "gloss", qos.GLOSS, lambda m: glosses.append(m.gloss))
            qos.subscribe(node, Vocabulary, "vocabulary", qos.VOCABULARY, vocabularies.append)
            end = time.monotonic() + PATIENCE
            while len(glosses) < len(expected) and time.monotonic() < end:
                executor.spin_once(timeout_sec=0.2)
            assert glosses == expected
            assert set(expected) <= set(vocabularies[0].glosses)
        finally:
            node.destroy_node()
            rclpy.shutdown(context=context)


@launch_testing.post_shutdown_test()
class TestShutdown(unittest.TestCase):
    def test_every_process_ends_cleanly(self, proc_info):
        assert len(proc_info.process_names()) == 4
        launch_testing.asserts.assertExitCodes(proc_info)
