"""Start the graph: a source of hands, smoothing, preprocessing, recognition; commands, markers."""

from launch import LaunchContext, LaunchDescription
from whispersign_ros.graph import launch_utils


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; the nodes are made once their values are known."""
    arguments = (
        *launch_utils.SOURCE,
        launch_utils.MODEL,
        launch_utils.COMMANDS,
        launch_utils.VISUALIZE,
        *launch_utils.COMMON,
    )
    return launch_utils.describe(arguments, _nodes)


def _nodes(context: LaunchContext) -> list:
    return [
        *launch_utils.commands(context),
        *launch_utils.visualization(context),
        *launch_utils.graph(context),
        launch_utils.source(context),  # last, so that the others receive its first frame
    ]
