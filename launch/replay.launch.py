# SPDX-License-Identifier: MIT
"""Play bags and publish /clock, so that all nodes run in the recording's time."""

from launch import LaunchContext, LaunchDescription
from whispersign_ros.graph import launch_utils as utils
from whispersign_ros.graph.launch_utils import SWITCH, argument, optional
from whispersign_ros.node.entry_points import GRAPH

ARGUMENTS = (
    optional("bag", "bag or folder of bags"),
    optional("playback_speed", "2.0 plays twice as fast"),
    optional("loop", "play the bags again after the last one", SWITCH),
    argument(
        "restamp",
        "false",
        "true shifts stamps and clock to the present; false keeps recorded times",
        SWITCH,
    ),
    argument("clock", "100.0", "publish rate of /clock in Hz"),
    argument("graph", "true", "also start smoothing, preprocessing and recognition", SWITCH),
    utils.MODEL,
    utils.COMMANDS,
)
COMMON = tuple(each if each.name != "use_sim_time" else utils.PLAYED_TIME for each in utils.COMMON)


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; their values determine the nodes at launch."""
    return utils.describe((*ARGUMENTS, *COMMON), _nodes)


def _nodes(context: LaunchContext) -> list:
    started = utils.is_on(context, "graph")
    return [
        *utils.commands(context),
        *(utils.graph(context, recorded=True) if started else []),
        utils.replay(context, GRAPH if started else ()),
    ]
