# SPDX-License-Identifier: MIT
"""Start the graph with a source of hands, and optionally command_node and visualization_node."""

from launch import LaunchContext, LaunchDescription
from whispersign_ros.graph import launch_utils as utils


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; their values determine the nodes at launch."""
    arguments = (*utils.SOURCE, utils.MODEL, utils.COMMANDS, utils.VISUALIZE, *utils.COMMON)
    return utils.describe(arguments, _nodes)


def _nodes(context: LaunchContext) -> list:
    return [
        *utils.commands(context),
        *utils.visualization(context),
        *utils.graph(context, recorded=utils.value(context, "source") == "replay"),
        utils.source(context),  # last, so that the other nodes receive its first frame
    ]
