# SPDX-License-Identifier: MIT
"""Record signs: a sensor, and a session that prompts for signs and writes bags."""

from launch import LaunchContext, LaunchDescription
from whispersign_ros.graph import launch_utils as utils
from whispersign_ros.graph.launch_utils import SWITCH, argument, optional

ARGUMENTS = (
    argument(
        "source",
        "leap",
        "the sensor: a Leap Motion, a camera, or a synthetic signer; none: nodes that run already",
        ("leap", "camera", "synthetic", "none"),
    ),
    optional("input", "source:=camera: number or path"),
    optional("glosses", "glosses separated by commas, e.g. HELLO,STOP"),
    optional("takes", "takes per gloss"),
    optional("signer", "name of the signer"),
    optional("out", "folder of the bags"),
    optional("shuffle", "shuffle the glosses in each round", SWITCH),
    optional("seed", "of the shuffling and of the synthetic signer"),
    optional("countdown", "seconds before each take"),
    optional("signing", "maximum seconds of a take"),
    optional("rest", "seconds after each take"),
    optional("away", "seconds without hands that end a take"),
    optional("images", "image topic to record too, e.g. hands/image"),
    argument("ros2_bag", "", "folder for `ros2 bag record` of the whole session too; empty: none"),
)


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; their values determine the nodes at launch."""
    return utils.describe((*ARGUMENTS, *utils.COMMON), _nodes)


def _nodes(context: LaunchContext) -> list:
    return [*utils.ros2_bag(context), utils.session(context), *utils.sensor(context)]
