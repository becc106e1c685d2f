"""Play bags with /clock, so that every node is in the time of the recording."""

from launch import LaunchContext, LaunchDescription
from whispersign_ros import launching
from whispersign_ros.executables import GRAPH

ARGUMENTS = (
    launching.Argument("bag", "", "bag, or folder of bags, to play; empty: as params_file says"),
    launching.Argument("rate", "", "speed of playing, e.g. 2.0; empty: as params_file says"),
    launching.Argument(
        "loop", "", "begin again after the last bag; empty: as params_file says", launching.SWITCH
    ),
    launching.Argument(
        "restamp",
        "false",
        "true: stamps, and the time, moved to now; false: as recorded",
        launching.SWITCH,
    ),
    launching.Argument("clock", "100.0", "times a second to publish /clock"),
    launching.Argument(
        "graph",
        "true",
        "start smoothing, preprocessing and recognition too; false: only play",
        launching.SWITCH,
    ),
    launching.MODEL,
    launching.COMMANDS,
)
COMMON = tuple(
    argument if argument.name != "use_sim_time" else launching.PLAYED_TIME
    for argument in launching.COMMON
)


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; the nodes are made once their values are known."""
    return launching.describe((*ARGUMENTS, *COMMON), _nodes)


def _nodes(context: LaunchContext) -> list:
    started = launching.is_on(context, "graph")
    return [
        *launching.commands(context),
        *(launching.graph(context) if started else []),
        launching.replay(context, GRAPH if started else ()),
    ]
