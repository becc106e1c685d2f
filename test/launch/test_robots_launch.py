# SPDX-License-Identifier: MIT
"""Two robots side by side: namespaces, parameters, transitions, and a node that is killed."""

import os
import signal
import tempfile
import unittest
from pathlib import Path

import pytest

REASON = "the ROS 2 launch packages are missing; they come with a ROS 2 distribution"
launch = pytest.importorskip("launch", reason=REASON)
launch_testing = pytest.importorskip("launch_testing", reason=REASON)
pytest.importorskip("launch_ros", reason=REASON)

from launch.actions import GroupAction  # noqa: E402
from launch_testing.actions import ReadyToTest  # noqa: E402
from launched import Listener, included  # noqa: E402
from lifecycle_msgs.msg import State, Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState, GetState  # noqa: E402
from rcl_interfaces.srv import GetParameters  # noqa: E402

from whispersign_model.recordings.bags.bag import read_bag  # noqa: E402
from whispersign_msgs.msg import Gloss, Vocabulary  # noqa: E402
from whispersign_ros.node import qos  # noqa: E402
from whispersign_ros.node.assets import DEMO_BAG, DEMO_MODEL  # noqa: E402

SIGN = "STOP"  # what the second robot sees, again and again
PARAMETERS = f"""\
/**/synthetic_node:
  ros__parameters: {{glosses: [{SIGN}], exit_at_end: false}}
/**/recognition_node:
  ros__parameters: {{chunk: 3}}
"""


def _robot(name, **arguments):
    """Return a graph whose arguments are not those of the next one."""
    arguments |= {"namespace": name, "log_level": "warn"}
    return GroupAction([included("whispersign", **arguments)])


@pytest.mark.launch_test
def generate_test_description():
    parameters = Path(tempfile.mkdtemp()) / "parameters.yaml"
    parameters.write_text(PARAMETERS)
    first = _robot("robot1", source="replay", bag=str(DEMO_BAG), model=str(DEMO_MODEL))
    second = _robot("robot2", source="synthetic", params_file=str(parameters), respawn="true")
    return launch.LaunchDescription([first, second, ReadyToTest()])


def _pid(executable, namespace):
    """Return the process of a node, None while there is none."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        is_node = any(Path(word).name == executable for word in words[:3])
        if is_node and f"__ns:=/{namespace}" in words:
            return int(folder.name)
    return None


class TestRobots(unittest.TestCase):
    def setUp(self):
        self.listener = Listener()
        self.node = self.listener.node
        self.glosses = {name: [] for name in ("robot1", "robot2")}
        for name, heard in self.glosses.items():
            qos.subscribe(
                self.node,
                Gloss,
                f"/{name}/gloss",
                qos.GLOSS,
                lambda message, heard=heard: heard.append(message.gloss),
            )

    def tearDown(self):
        self.listener.close()

    def until(self, condition):
        self.listener.until(condition)
        assert condition(), self.glosses

    def ask(self, kind, service, **fields):
        client = self.node.create_client(kind, service)
        self.until(client.service_is_ready)
        future = client.call_async(kind.Request(**fields))
        self.until(future.done)
        self.node.destroy_client(client)
        return future.result()

    def state(self):
        return self.ask(GetState, "/robot2/recognition_node/get_state").current_state.id

    def change(self, transition):
        request = Transition(id=transition)
        return self.ask(ChangeState, "/robot2/recognition_node/change_state", transition=request)

    def test_1_each_recognises_what_is_signed_before_it(self):
        expected = list(read_bag(DEMO_BAG).glosses)
        self.until(lambda: len(self.glosses["robot1"]) >= len(expected))
        self.until(lambda: len(self.glosses["robot2"]) >= 3)
        assert self.glosses["robot1"] == expected
        assert self.glosses["robot2"].count(SIGN) >= len(self.glosses["robot2"]) - 1

    def test_2_parameters_come_from_the_file_and_from_the_command_line(self):
        names = ["chunk", "model"]
        for robot, expected in (("robot1", (2, str(DEMO_MODEL))), ("robot2", (3, "demo"))):
            answer = self.ask(
                GetParameters, f"/{robot}/recognition_node/get_parameters", names=names
            )
            chunk, model = answer.values
            assert (chunk.integer_value, model.string_value) == expected

    def test_3_a_manager_may_stop_and_start_the_recogniser(self):
        assert self.state() == State.PRIMARY_STATE_ACTIVE
        assert self.change(Transition.TRANSITION_DEACTIVATE).success
        assert self.state() == State.PRIMARY_STATE_INACTIVE
        self.glosses["robot2"].clear()
        assert self.change(Transition.TRANSITION_ACTIVATE).success
        self.until(lambda: self.glosses["robot2"])

    def test_4_a_node_that_is_killed_is_started_again_and_recognises(self):
        vocabularies = []
        kind, topic = Vocabulary, "/robot2/vocabulary"
        qos.subscribe(self.node, kind, topic, qos.VOCABULARY, vocabularies.append)
        self.until(lambda: vocabularies)
        before = _pid("recognition_node", "robot2")
        os.kill(before, signal.SIGKILL)
        self.until(lambda: _pid("recognition_node", "robot2") not in (None, before))
        self.until(lambda: len(vocabularies) >= 2)
        self.glosses["robot2"].clear()
        self.until(lambda: SIGN in self.glosses["robot2"])


@launch_testing.post_shutdown_test()
class TestShutdown(unittest.TestCase):
    def test_every_process_ends_cleanly_but_the_one_that_was_killed(self, proc_info):
        codes = {}
        for name in proc_info.process_names():
            codes[name] = proc_info[name].returncode
        assert len(codes) >= 8
        assert set(codes.values()) <= {0, -signal.SIGKILL}
        killed = [name for name, code in codes.items() if code == -signal.SIGKILL]
        assert len(killed) <= 1
        assert all("recognition_node" in name for name in killed)
