# SPDX-License-Identifier: MIT
"""The launch file with a commands file: the bundled recording moves a robot, and stops it."""

import tempfile
import unittest
from pathlib import Path

import pytest

REASON = "the ROS 2 launch packages are missing; they come with a ROS 2 distribution"
launch = pytest.importorskip("launch", reason=REASON)
launch_testing = pytest.importorskip("launch_testing", reason=REASON)
pytest.importorskip("launch_ros", reason=REASON)

from geometry_msgs.msg import Twist  # noqa: E402
from launch_testing.actions import ReadyToTest  # noqa: E402
from launched import Listener, included  # noqa: E402

from whispersign_ros.node.assets import DEMO_BAG, DEMO_MODEL  # noqa: E402

# The recording: HELLO FOLLOW LEFT LEFT STOP OPEN THANKS HOME, in one utterance.
COMMANDS = """\
stop:
  gloss: STOP
  publish: {topic: cmd_vel, type: geometry_msgs/msg/Twist}
commands:
  - gloss: HOME
    mode: hold
    confidence: 0.4
    publish:
      topic: cmd_vel
      type: geometry_msgs/msg/Twist
      message: {linear: {x: 0.2}}
"""


PATIENT = """\
/**/command_node:
  ros__parameters: {input_timeout: 5.0, max_age: 60.0}
"""


@pytest.mark.launch_test
def generate_test_description():
    folder = Path(tempfile.mkdtemp())
    commands, parameters = folder / "commands.yaml", folder / "parameters.yaml"
    commands.write_text(COMMANDS)
    parameters.write_text(PATIENT)  # for a busy machine
    arguments = {
        "source": "replay",
        "bag": str(DEMO_BAG),
        "model": str(DEMO_MODEL),
        "namespace": "robot2",
        "commands_file": str(commands),
        "params_file": str(parameters),
    }
    graph = included("whispersign", **arguments)
    return launch.LaunchDescription([graph, ReadyToTest()])


class TestCommands(unittest.TestCase):
    def test_the_recording_moves_the_robot_and_its_end_stops_it(self):
        speeds: list[float] = []
        with Listener(namespace="robot2") as robot:
            robot.node.create_subscription(
                Twist, "cmd_vel", lambda message: speeds.append(message.linear.x), 100
            )
            robot.until(lambda: 0.2 in speeds and speeds[-1] == 0.0)
            # STOP is signed before anything moves; the features end with the recording.
            assert speeds[0] == 0.0
            assert 0.2 in speeds
            assert speeds[-1] == 0.0


@launch_testing.post_shutdown_test()
class TestShutdown(unittest.TestCase):
    def test_every_process_ends_cleanly(self, proc_info):
        assert len(proc_info.process_names()) == 5
        launch_testing.asserts.assertExitCodes(proc_info)
