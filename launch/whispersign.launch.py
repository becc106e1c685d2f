"""Start the graph: a source of hands, smoothing, preprocessing, recognition, and commands."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription

PACKAGE = "whispersign_ros"
SHARE = Path(get_package_share_directory(PACKAGE))
GRAPH = ["recognition_node", "preprocessing_node", "smoothing_node"]  # a source waits for them
RESPAWN_DELAY = 2.0  # seconds

# Arguments: name, default, description. An empty default leaves the parameter to the file.
ARGUMENTS = (
    ("namespace", "", "namespace of all nodes and of the relative topics"),
    (
        "params_file",
        str(SHARE / "config" / "whispersign.yaml"),
        "parameters of all nodes; the arguments below take precedence where given",
    ),
    ("model", "", "exported network (.onnx) or checkpoint; empty: as params_file says"),
    ("bag", "", "source:=replay: bag, or folder of bags, to play; empty: as params_file says"),
    ("rate", "", "source:=replay: speed of playing, e.g. 2.0; empty: as params_file says"),
    ("input", "", "source:=camera: device, video, folder of images, or topic; empty: as the file"),
    (
        "commands_file",
        "",
        "which glosses do what; starts command_node; default: config/commands.yaml; empty: none",
    ),
)
SWITCHES = (
    ("loop", "", "source:=replay: begin again after the last bag; empty: as params_file says"),
    ("restamp", "", "source:=replay: true: stamps moved to now, false: as recorded; empty: file"),
    ("use_sim_time", "false", "take the time from /clock"),
    ("respawn", "false", "start a node again when it ends; a replay that has ended stays ended"),
)
LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; the nodes are made once their values are known."""
    arguments = [
        DeclareLaunchArgument(
            "source",
            default_value="replay",
            choices=["camera", "leap", "replay", "synthetic"],
            description="where hands come from: a camera, a Leap Motion, bags, or a made-up person",
        ),
        *(
            DeclareLaunchArgument(name, default_value=default, description=description)
            for name, default, description in ARGUMENTS
        ),
        *(
            DeclareLaunchArgument(
                name,
                default_value=default,
                choices=["true", "false", *([""] if not default else [])],
                description=description,
            )
            for name, default, description in SWITCHES
        ),
        DeclareLaunchArgument(
            "log_level",
            default_value="info",
            choices=list(LOG_LEVELS),
            description="the least severe messages that nodes log",
        ),
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=_nodes)])


def _nodes(context: LaunchContext) -> list:
    source = _value(context, "source")
    respawn = _value(context, "respawn") == "true"
    model = {"model": _value(context, "model")} if _value(context, "model") else {}
    return [
        *_commands(context, respawn),
        *(_node(context, executable, model, respawn) for executable in GRAPH),
        _node(
            context,
            f"{source}_node",
            _of_source(context, source),
            respawn and source != "replay",
        ),
    ]


def _commands(context: LaunchContext, respawn: bool) -> list:
    """Return command_node where a commands file is given."""
    given = {"commands_file": _value(context, "commands_file")}
    return [_node(context, "command_node", given, respawn)] if given["commands_file"] else []


def _node(context: LaunchContext, executable: str, parameters: dict, respawn: bool) -> Node:
    return Node(
        package=PACKAGE,
        executable=executable,
        name=executable,
        namespace=_value(context, "namespace"),
        parameters=[
            _value(context, "params_file"),
            {"use_sim_time": _value(context, "use_sim_time") == "true", **parameters},
        ],
        arguments=["--ros-args", "--log-level", _value(context, "log_level")],
        respawn=respawn,
        respawn_delay=RESPAWN_DELAY,
        output="screen",
    )


def _of_source(context: LaunchContext, source: str) -> dict:
    """Return the parameters of the source's node that were given as arguments."""
    if source == "replay":
        return {"wait_for": GRAPH, **_replay(context)}
    if source == "camera":
        given = _value(context, "input")
        return {"wait_for": GRAPH, **({"input": given} if given else {})}
    return {} if source == "leap" else {"wait_for": GRAPH}


def _replay(context: LaunchContext) -> dict:
    """Return the parameters of replay_node that were given as arguments."""
    kinds = {"bag": str, "rate": float, "loop": "true".__eq__, "restamp": "true".__eq__}
    given = {name: _value(context, name) for name in kinds}
    return {name: kinds[name](value) for name, value in given.items() if value}


def _value(context: LaunchContext, name: str) -> str:
    return LaunchConfiguration(name).perform(context)
