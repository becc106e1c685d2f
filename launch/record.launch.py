"""Record signs of one's own: a sensor, and the session that asks for signs and writes bags."""

from launch import LaunchContext, LaunchDescription
from whispersign_ros import launching

ARGUMENTS = (
    launching.Argument(
        "source",
        "leap",
        "the sensor: a Leap Motion, a camera, or a made-up person; none: nodes that run already",
        ("leap", "camera", "synthetic", "none"),
    ),
    launching.Argument("input", "", "source:=camera: number or path; empty: as params_file says"),
    launching.Argument(
        "glosses", "", "what is signed, with commas between, e.g. HELLO,STOP; empty: params_file"
    ),
    launching.Argument("takes", "", "how often each is signed; empty: as params_file says"),
    launching.Argument("signer", "", "who signs; empty: as params_file says"),
    launching.Argument("out", "", "folder of the bags; empty: as params_file says"),
    launching.Argument(
        "shuffle", "", "each round in another order; empty: as params_file says", launching.SWITCH
    ),
    launching.Argument(
        "seed", "", "of the order, and of a made-up person; empty: as params_file says"
    ),
    launching.Argument("countdown", "", "seconds before each take; empty: as params_file says"),
    launching.Argument("signing", "", "seconds that a sign may take; empty: as params_file says"),
    launching.Argument("rest", "", "seconds after each take; empty: as params_file says"),
    launching.Argument(
        "away", "", "seconds without hands that end a take; empty: as params_file says"
    ),
    launching.Argument(
        "images",
        "",
        "topic of pictures to record too, e.g. hands/image; empty: as params_file says",
    ),
    launching.Argument(
        "ros2_bag",
        "",
        "folder for a bag of the whole session that `ros2 bag record` writes beside; empty: none",
    ),
)


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; the nodes are made once their values are known."""
    return launching.describe((*ARGUMENTS, *launching.COMMON), _nodes)


def _nodes(context: LaunchContext) -> list:
    return [
        *launching.ros2_bag(context),
        launching.session(context),
        *launching.sensor(context),
    ]
