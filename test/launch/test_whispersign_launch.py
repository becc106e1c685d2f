# SPDX-License-Identifier: MIT
"""The launch file as users start it: the bundled recording, in a namespace, gives its glosses."""

import unittest

import pytest

REASON = "the ROS 2 launch packages are missing; they come with a ROS 2 distribution"
launch = pytest.importorskip("launch", reason=REASON)
launch_testing = pytest.importorskip("launch_testing", reason=REASON)
pytest.importorskip("launch_ros", reason=REASON)

from launch_testing.actions import ReadyToTest  # noqa: E402
from launched import Listener, included  # noqa: E402

from whispersign_model.recordings.bags.bag import read_bag  # noqa: E402
from whispersign_msgs.msg import Gloss, Vocabulary  # noqa: E402
from whispersign_ros.node import qos  # noqa: E402
from whispersign_ros.node.assets import DEMO_BAG, DEMO_MODEL  # noqa: E402


@pytest.mark.launch_test
def generate_test_description():
    arguments = {
        "source": "replay",
        "bag": str(DEMO_BAG),
        "model": str(DEMO_MODEL),
        "namespace": "robot1",
    }
    graph = included("whispersign", **arguments)
    return launch.LaunchDescription([graph, ReadyToTest()])


class TestGlosses(unittest.TestCase):
    def test_the_recording_gives_its_glosses_in_the_namespace(self):
        expected = list(read_bag(DEMO_BAG).glosses)
        glosses: list[str] = []
        vocabularies: list[Vocabulary] = []
        with Listener(namespace="robot1") as listener:
            node = listener.node
            qos.subscribe(node, Gloss, "gloss", qos.GLOSS, lambda m: glosses.append(m.gloss))
            qos.subscribe(node, Vocabulary, "vocabulary", qos.VOCABULARY, vocabularies.append)
            listener.until(lambda: len(glosses) >= len(expected))
            assert glosses == expected
            assert set(expected) <= set(vocabularies[0].glosses)


@launch_testing.post_shutdown_test()
class TestShutdown(unittest.TestCase):
    def test_every_process_ends_cleanly(self, proc_info):
        assert len(proc_info.process_names()) == 4
        launch_testing.asserts.assertExitCodes(proc_info)
