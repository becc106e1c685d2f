# SPDX-License-Identifier: MIT
"""Record signs: start a sensor and a session that prompts for signs and writes bags."""

from launch import LaunchContext, LaunchDescription
from whispersign_ros.graph import launch_utils as utils
from whispersign_ros.graph.launch_utils import SWITCH, argument, optional

ARGUMENTS = (
    argument(
        "source",
        "leap",
        "sensor, or synthetic for a synthetic signer; none uses a sensor node that runs already",
        ("leap", "camera", "synthetic", "none"),
    ),
    optional("input", "source:=camera: number or path"),
    optional("glosses", "glosses separated by commas, e.g. HELLO,STOP"),
    optional("takes", "takes per gloss"),
    optional("signer", "name of the signer"),
    optional("out", "output folder"),
    optional("shuffle", "shuffle the glosses in each round", SWITCH),
    optional("seed", "random seed for shuffling and the synthetic signer"),
    optional("countdown", "seconds before each take"),
    optional("signing", "maximum duration of a take in seconds"),
    optional("rest", "seconds after each take"),
    optional("away", "seconds without hands after which a take ends early"),
    optional("images", "image topic to record as well, e.g. hands/image"),
    argument(
        "ros2_bag",
        "",
        "folder for a recording of the whole session with `ros2 bag record`; empty disables it",
    ),
)


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; their values determine the nodes at launch."""
    return utils.describe((*ARGUMENTS, *utils.COMMON), _nodes)


def _nodes(context: LaunchContext) -> list:
    return [*utils.ros2_bag(context), utils.session(context), *utils.sensor(context)]
