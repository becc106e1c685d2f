"""Record signs of one's own: a sensor, and the session that asks for signs and writes bags."""

from launch import LaunchContext, LaunchDescription
from whispersign_ros.graph import launch_utils

ARGUMENTS = (
    launch_utils.Argument(
        "source",
        "leap",
        "the sensor: a Leap Motion, a camera, or a made-up person; none: nodes that run already",
        ("leap", "camera", "synthetic", "none"),
    ),
    launch_utils.Argument(
        "input", "", "source:=camera: number or path; empty: as params_file says"
    ),
    launch_utils.Argument(
        "glosses", "", "what is signed, with commas between, e.g. HELLO,STOP; empty: params_file"
    ),
    launch_utils.Argument("takes", "", "how often each is signed; empty: as params_file says"),
    launch_utils.Argument("signer", "", "who signs; empty: as params_file says"),
    launch_utils.Argument("out", "", "folder of the bags; empty: as params_file says"),
    launch_utils.Argument(
        "shuffle",
        "",
        "each round in another order; empty: as params_file says",
        launch_utils.SWITCH,
    ),
    launch_utils.Argument(
        "seed", "", "of the order, and of a made-up person; empty: as params_file says"
    ),
    launch_utils.Argument("countdown", "", "seconds before each take; empty: as params_file says"),
    launch_utils.Argument(
        "signing", "", "seconds that a sign may take; empty: as params_file says"
    ),
    launch_utils.Argument("rest", "", "seconds after each take; empty: as params_file says"),
    launch_utils.Argument(
        "away", "", "seconds without hands that end a take; empty: as params_file says"
    ),
    launch_utils.Argument(
        "images",
        "",
        "topic of pictures to record too, e.g. hands/image; empty: as params_file says",
    ),
    launch_utils.Argument(
        "ros2_bag",
        "",
        "folder for a bag of the whole session that `ros2 bag record` writes beside; empty: none",
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
