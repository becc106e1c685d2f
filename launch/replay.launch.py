"""Play bags with /clock: every node runs in the time of the recording."""

from launch import LaunchContext, LaunchDescription
from whispersign_ros.graph import launch_utils
from whispersign_ros.node.entry_points import GRAPH

ARGUMENTS = (
    launch_utils.Argument("bag", "", "bag or folder of bags; empty: as in params_file"),
    launch_utils.Argument(
        "playback_speed", "", "2.0 plays twice as fast; empty: as in params_file"
    ),
    launch_utils.Argument(
        "loop",
        "",
        "play the bags again after the last one; empty: as in params_file",
        launch_utils.SWITCH,
    ),
    launch_utils.Argument(
        "restamp",
        "false",
        "true shifts the stamps and the clock to the present; false keeps the recorded ones",
        launch_utils.SWITCH,
    ),
    launch_utils.Argument("clock", "100.0", "publish rate of /clock in Hz"),
    launch_utils.Argument(
        "graph", "true", "start smoothing, preprocessing and recognition too", launch_utils.SWITCH
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
