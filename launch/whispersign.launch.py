"""Start the graph: a source of hands, smoothing, preprocessing, recognition; commands, markers."""

from launch import LaunchContext, LaunchDescription
from whispersign_ros import launching


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; the nodes are made once their values are known."""
    arguments = (
        *launching.SOURCE,
        launching.MODEL,
        launching.COMMANDS,
        launching.VISUALIZE,
        *launching.COMMON,
    )
    return launching.describe(arguments, _nodes)


def _nodes(context: LaunchContext) -> list:
    return [
        *launching.commands(context),
        *launching.visualization(context),
        *launching.graph(context),
        launching.source(context),  # last: nothing it sends is lost
    ]
