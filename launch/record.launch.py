"""Record signs: a sensor, and a session that prompts for signs and writes bags."""

from launch import LaunchContext, LaunchDescription
from whispersign_ros.graph import launch_utils

ARGUMENTS = (
    launch_utils.Argument(
        "source",
        "leap",
        "the sensor: a Leap Motion, a camera, or a synthetic signer; none: nodes that run already",
        ("leap", "camera", "synthetic", "none"),
    ),
    launch_utils.Argument("input", "", "source:=camera: number or path; empty: as in params_file"),
    launch_utils.Argument(
        "glosses", "", "glosses separated by commas, e.g. HELLO,STOP; empty: as in params_file"
    ),
    launch_utils.Argument("takes", "", "takes per gloss; empty: as in params_file"),
    launch_utils.Argument("signer", "", "name of the signer; empty: as in params_file"),
    launch_utils.Argument("out", "", "folder of the bags; empty: as in params_file"),
    launch_utils.Argument(
        "shuffle",
        "",
        "shuffle the glosses in each round; empty: as in params_file",
        launch_utils.SWITCH,
    ),
    launch_utils.Argument(
        "seed", "", "of the shuffling and of the synthetic signer; empty: as in params_file"
    ),
    launch_utils.Argument("countdown", "", "seconds before each take; empty: as in params_file"),
    launch_utils.Argument("signing", "", "maximum seconds of a take; empty: as in params_file"),
    launch_utils.Argument("rest", "", "seconds after each take; empty: as in params_file"),
    launch_utils.Argument(
        "away", "", "seconds without hands that end a take; empty: as in params_file"
    ),
    launch_utils.Argument(
        "images", "", "image topic to record too, e.g. hands/image; empty: as in params_file"
    ),
    launch_utils.Argument(
        "ros2_bag",
        "",
        "folder for a further bag of the whole session, by `ros2 bag record`; empty: none",
    ),
)


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; the nodes are made once their values are known."""
    return launch_utils.describe((*ARGUMENTS, *launch_utils.COMMON), _nodes)


def _nodes(context: LaunchContext) -> list:
    return [
        *launch_utils.ros2_bag(context),
        launch_utils.session(context),
        *launch_utils.sensor(context),
    ]
