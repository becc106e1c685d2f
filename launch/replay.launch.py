"""Play bags with /clock, so that every node is in the time of the recording."""

from launch import LaunchContext, LaunchDescription
from whispersign_ros.graph import launch_utils
from whispersign_ros.node.entry_points import GRAPH

ARGUMENTS = (
    launch_utils.Argument("bag", "", "bag, or folder of bags, to play; empty: as params_file says"),
    launch_utils.Argument("rate", "", "speed of playing, e.g. 2.0; empty: as params_file says"),
    launch_utils.Argument(
        "loop",
        "",
        "begin again after the last bag; empty: as params_file says",
        launch_utils.SWITCH,
    ),
    launch_utils.Argument(
        "restamp",
        "false",
        "true: stamps, and the time, moved to now; false: as recorded",
        launch_utils.SWITCH,
    ),
    launch_utils.Argument("clock", "100.0", "times a second to publish /clock"),
    launch_utils.Argument(
        "graph",
        "true",
        "start smoothing, preprocessing and recognition too; false: only play",
        launch_utils.SWITCH,
    ),
    launch_utils.MODEL,
    launch_utils.COMMANDS,
)
COMMON = tuple(
    argument if argument.name != "use_sim_time" else launch_utils.PLAYED_TIME
    for argument in launch_utils.COMMON
)


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; the nodes are made once their values are known."""
    return launch_utils.describe((*ARGUMENTS, *COMMON), _nodes)


def _nodes(context: LaunchContext) -> list:
    started = launch_utils.is_on(context, "graph")
    return [
        *launch_utils.commands(context),
        *(launch_utils.graph(context) if started else []),
        launch_utils.replay(context, GRAPH if started else ()),
    ]
