# SPDX-License-Identifier: MIT
"""Arguments and nodes of the launch files.

Only launch files may import this module, because it needs ``launch`` and ``launch_ros``.
"""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.event_handlers import OnShutdown
from launch.events.process import SignalProcess
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchContext, LaunchDescription
from whispersign_ros.node.discovery import RANGES, range_variables
from whispersign_ros.node.entry_points import GRAPH, PLAYBACK, RESPAWN_DELAY
from whispersign_ros.node.shutdown import LAUNCH_PID

PACKAGE = "whispersign_ros"
SHARE = Path(get_package_share_directory(PACKAGE))
SWITCH = ("true", "false")


def argument(
    name: str, default: str, description: str, choices: Sequence[str] = ()
) -> DeclareLaunchArgument:
    """Return a launch argument; without ``choices`` any value is allowed."""
    return DeclareLaunchArgument(
        name, default_value=default, description=description, choices=list(choices) or None
    )


def optional(name: str, description: str, choices: Sequence[str] = ()) -> DeclareLaunchArgument:
    """Return a launch argument whose empty default keeps the parameter file's value."""
    choices = [*choices, ""] if choices else ()
    return argument(name, "", f"{description}; empty uses params_file", choices)


COMMON = (
    argument("namespace", "", "namespace of all nodes and of the relative topics"),
    argument(
        "params_file",
        str(SHARE / "config" / "whispersign.yaml"),
        "parameters of all nodes; the other arguments take precedence",
    ),
    optional("use_sim_time", "take the time from /clock", SWITCH),
    argument(
        "respawn", "false", "restart a node that exits, except a finished replay or video", SWITCH
    ),
    argument(
        "log_level", "info", "minimum severity logged", ("debug", "info", "warn", "error", "fatal")
    ),
    argument(
        "enclaves",
        "",
        "parent of the SROS 2 enclaves: with /whispersign, each node runs in /whispersign/NODE; "
        "empty uses the default enclave",
    ),
    argument(
        "discovery",
        "",
        "machines that may reach the nodes; empty uses ROS_AUTOMATIC_DISCOVERY_RANGE, or "
        "localhost if it is not set",
        (*RANGES, ""),
    ),
)
SOURCE = (
    argument(
        "source",
        "replay",
        "source of the hands: a camera, a Leap Motion, bags, or a synthetic signer",
        ("camera", "leap", "replay", "synthetic"),
    ),
    optional("bag", "source:=replay: bag or folder of bags"),
    optional("playback_speed", "source:=replay: 2.0 plays twice as fast"),
    optional("loop", "source:=replay: repeat after the last bag", SWITCH),
    optional("restamp", "source:=replay: true shifts the stamps to the present", SWITCH),
    optional("input", "source:=camera: device, video, folder of images, or topic"),
)
PLAYED_TIME = argument(
    "use_sim_time", "true", "take the time from /clock, except in replay_node", SWITCH
)
MODEL = optional("model", "exported network (.onnx) or checkpoint")
COMMANDS = argument(
    "commands_file", "", "start command_node with this file, e.g. config/commands.yaml"
)
VISUALIZE = argument(
    "visualize", "false", "start visualization_node, which draws for RViz and Foxglove", SWITCH
)


def describe(
    arguments: Sequence[DeclareLaunchArgument], nodes: Callable[[LaunchContext], Sequence[Any]]
) -> LaunchDescription:
    """Return a launch description with arguments and nodes.

    Args:
        arguments: all arguments, including ``COMMON``.
        nodes: creates the nodes from the arguments' values.
    """
    return LaunchDescription(
        [
            *arguments,
            SetEnvironmentVariable(LAUNCH_PID, str(os.getpid())),  # a node ends with its launch
            RegisterEventHandler(OnShutdown(on_shutdown=[_end_nodes()])),
            OpaqueFunction(function=lambda context: [*discovery(context), *nodes(context)]),
        ]
    )


def _end_nodes() -> EmitEvent:
    """Return the action that ends all nodes of this package at once.

    Without it launch waits five seconds after a SIGINT for nodes that the terminal is to end.
    """
    return EmitEvent(
        event=SignalProcess(
            signal_number=signal.SIGTERM,
            process_matcher=lambda action: (
                getattr(action, "node_package", "") == PACKAGE
                and "pid" in (action.process_details or {})
            ),
        )
    )


def discovery(context: LaunchContext) -> list[SetEnvironmentVariable]:
    """Return the actions that set which machines reach the nodes after them."""
    chosen = range_variables(os.environ, value(context, "discovery"))
    return [SetEnvironmentVariable(name, setting) for name, setting in chosen.items()]


def value(context: LaunchContext, name: str) -> str:
    """Return the value of an argument."""
    return str(LaunchConfiguration(name).perform(context))


def is_on(context: LaunchContext, name: str) -> bool:
    """Return whether a switch is true."""
    return value(context, name) == "true"


def given(context: LaunchContext, kinds: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """Return the non-empty arguments as parameters of the same names."""
    texts = {name: value(context, name) for name in kinds}
    return {name: kinds[name](text) for name, text in texts.items() if text}


def node(
    context: LaunchContext,
    executable: str,
    parameters: Mapping[str, Any] | None = None,
    restarts: bool = True,
    **options: Any,
) -> Node:
    """Return a node of this package, configured by the launch arguments.

    Args:
        context: launch context.
        executable: name of the executable and of the node.
        parameters: parameters that override the parameter file.
        restarts: whether ``respawn`` applies; False for a node that ends when its work is done.
        options: other options of ``launch_ros.actions.Node``.
    """
    own = {**given(context, {"use_sim_time": "true".__eq__}), **(parameters or {})}
    return Node(
        package=PACKAGE,
        executable=executable,
        name=executable,
        namespace=value(context, "namespace"),
        parameters=[value(context, "params_file"), *([own] if own else [])],
        arguments=["--ros-args", *_ros_arguments(context, executable)],
        respawn=is_on(context, "respawn") and restarts,
        respawn_delay=RESPAWN_DELAY,
        output="screen",
        **options,
    )


def _ros_arguments(context: LaunchContext, executable: str) -> list[str]:
    level = ["--log-level", value(context, "log_level")]
    enclaves = value(context, "enclaves").rstrip("/")
    return [*level, "--enclave", f"{enclaves}/{executable}"] if enclaves else level


def graph(context: LaunchContext, recorded: bool) -> list[Node]:
    """Return the nodes of smoothing, preprocessing and recognition, with the same model.

    Args:
        context: launch context.
        recorded: whether the source is a recording, of which no frame may be lost.
    """
    parameters = given(context, {"model": str}) | (PLAYBACK if recorded else {})
    return [node(context, executable, parameters) for executable in GRAPH]


def source(context: LaunchContext, wait_for: Sequence[str] = GRAPH) -> Node:
    """Return the node that publishes hands.

    Args:
        context: launch context.
        wait_for: nodes that must subscribe before a recording starts.
    """
    kind = value(context, "source")
    if kind == "replay":
        return node(context, "replay_node", _played(context, wait_for), restarts=False)
    parameters: dict[str, Any] = {} if kind == "leap" else {"wait_for": list(wait_for)}
    if kind == "camera":
        parameters |= given(context, {"input": str, "model": str})
    file = parameters.get("input", "")  # a device is neither a file nor a folder
    finite = bool(file) and (Path(file).is_file() or Path(file).is_dir())
    return node(context, f"{kind}_node", parameters, restarts=not finite)


def replay(context: LaunchContext, wait_for: Sequence[str]) -> Node:
    """Return replay_node, which publishes /clock."""
    clock = given(context, {"clock": float})
    parameters = _played(context, wait_for) | clock | {"use_sim_time": False}
    return node(context, "replay_node", parameters, restarts=False)


def _played(context: LaunchContext, wait_for: Sequence[str]) -> dict[str, Any]:
    kinds: dict[str, Callable[[str], Any]]
    kinds = {"bag": str, "playback_speed": float, "loop": "true".__eq__, "restamp": "true".__eq__}
    return {"wait_for": list(wait_for) or [""], **given(context, kinds)}


def sensor(context: LaunchContext) -> list[Node]:
    """Return the node of the sensor to record, or no node with source:=none."""
    kind = value(context, "source")
    if kind == "none":
        return []
    parameters: dict[str, Any] = {}
    if kind == "synthetic":
        parameters = {"prompted": True, **given(context, {"seed": int})}
    elif kind == "camera":
        parameters = given(context, {"input": text})
    return [node(context, f"{kind}_node", parameters)]


def session(context: LaunchContext) -> Node:
    """Return annotation_node; when it exits, the launch shuts down."""
    kinds: dict[str, Callable[[str], Any]] = dict.fromkeys(
        ("glosses", "signer", "out", "images"), text
    )
    kinds |= {"takes": int, "seed": int, "shuffle": "true".__eq__}
    kinds |= dict.fromkeys(("countdown", "signing", "rest", "away"), float)
    end = Shutdown(reason="the session has ended")
    return node(context, "annotation_node", given(context, kinds), restarts=False, on_exit=end)


def ros2_bag(context: LaunchContext) -> list[ExecuteProcess]:
    """Return ``ros2 bag record`` for all topics of a session if ``ros2_bag`` is set."""
    folder = value(context, "ros2_bag")
    if not folder:
        return []
    namespace = value(context, "namespace").strip("/")
    names = ["hands/raw", "annotation", "prompt", *given(context, {"images": str}).values()]
    topics = [name if name.startswith("/") else f"/{namespace}/{name}" for name in names]
    topics = [topic.replace("//", "/") for topic in topics]
    option = [] if os.environ.get("ROS_DISTRO") == "humble" else ["--topics"]
    command = ["ros2", "bag", "record", "--output", folder, *option, *topics]
    return [ExecuteProcess(cmd=command, output="screen")]


def text(word: str) -> ParameterValue:
    """Return a string parameter; values such as NO or 7 stay strings."""
    return ParameterValue(word, value_type=str)


def commands(context: LaunchContext) -> list[Node]:
    """Return command_node if ``commands_file`` is set."""
    file = given(context, {"commands_file": str})
    return [node(context, "command_node", file)] if file else []


def visualization(context: LaunchContext) -> list[Node]:
    """Return visualization_node if ``visualize`` is true."""
    return [node(context, "visualization_node")] if is_on(context, "visualize") else []
