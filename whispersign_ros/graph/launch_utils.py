"""What the launch files share: arguments, each described once, and nodes made from their values.

It needs the packages ``launch`` and ``launch_ros`` and is imported by launch files alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchContext, LaunchDescription
from whispersign_ros.node.discovery import RANGES, reach
from whispersign_ros.node.entry_points import GRAPH, RESPAWN_DELAY

PACKAGE = "whispersign_ros"
SHARE = Path(get_package_share_directory(PACKAGE))
SWITCH = ("true", "false")


@dataclass(frozen=True)
class Argument:
    """One argument of a launch file.

    Attributes:
        name: as in ``name:=value``.
        default: empty leaves the parameter to the parameter file.
        description: what it does.
        choices: the only values allowed, where there are few; empty is allowed where it is default.
    """

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()

    def declare(self) -> DeclareLaunchArgument:
        """Return what ``ros2 launch --show-args`` shows."""
        choices = [*self.choices, *([] if self.default else [""])] if self.choices else None
        return DeclareLaunchArgument(
            self.name, default_value=self.default, description=self.description, choices=choices
        )


# Of every launch file.
COMMON = (
    Argument("namespace", "", "namespace of all nodes and of the relative topics"),
    Argument(
        "params_file",
        str(SHARE / "config" / "whispersign.yaml"),
        "parameters of all nodes; the other arguments take precedence where given",
    ),
    Argument("use_sim_time", "", "take the time from /clock; empty: as params_file says", SWITCH),
    Argument(
        "respawn",
        "false",
        "start a node again when it ends; a replay or video that has ended stays ended",
        SWITCH,
    ),
    Argument(
        "log_level",
        "info",
        "the least severe messages that nodes log",
        ("debug", "info", "warn", "error", "fatal"),
    ),
    Argument(
        "enclaves",
        "",
        "where the SROS 2 enclaves of the nodes lie: with /whispersign each node runs in "
        "/whispersign/NODE; empty: none of their own",
    ),
    Argument(
        "discovery",
        "",
        "which machines may find the nodes: this one, those of the subnet, or as the middleware is "
        "set up; empty: as ROS_AUTOMATIC_DISCOVERY_RANGE says, localhost where it is not set",
        RANGES,
    ),
)
SOURCE = (
    Argument(
        "source",
        "replay",
        "where hands come from: a camera, a Leap Motion, bags, or a made-up person",
        ("camera", "leap", "replay", "synthetic"),
    ),
    Argument("bag", "", "source:=replay: bag, or folder of bags, to play; empty: as params_file"),
    Argument("rate", "", "source:=replay: speed of playing, e.g. 2.0; empty: as params_file says"),
    Argument("loop", "", "source:=replay: begin again after the last bag; empty: file", SWITCH),
    Argument(
        "restamp",
        "",
        "source:=replay: true: stamps moved to now, false: as recorded; empty: as params_file says",
        SWITCH,
    ),
    Argument("input", "", "source:=camera: device, video, folder of images, or topic; empty: file"),
)
PLAYED_TIME = Argument(
    "use_sim_time", "true", "take the time from /clock, all nodes but the one that gives it", SWITCH
)
MODEL = Argument("model", "", "exported network (.onnx) or checkpoint; empty: as params_file says")
COMMANDS = Argument(
    "commands_file",
    "",
    "which glosses do what, such as config/commands.yaml; starts command_node; empty: none",
)
VISUALIZE = Argument(
    "visualize",
    "false",
    "start visualization_node: markers for RViz (config/rviz) and Foxglove (config/foxglove)",
    SWITCH,
)


def describe(
    arguments: Sequence[Argument], nodes: Callable[[LaunchContext], Sequence[Any]]
) -> LaunchDescription:
    """Return a launch file's description: its arguments, then its nodes.

    Args:
        arguments: all of its arguments, ``COMMON`` among them.
        nodes: makes the nodes once the values of the arguments are known.
    """
    return LaunchDescription(
        [
            *(argument.declare() for argument in arguments),
            OpaqueFunction(function=lambda context: [*limits(context), *nodes(context)]),
        ]
    )


def limits(context: LaunchContext) -> list[SetEnvironmentVariable]:
    """Return what keeps the nodes that follow to the machines that ``discovery`` says."""
    chosen = reach(os.environ, value(context, "discovery"))
    return [SetEnvironmentVariable(name, setting) for name, setting in chosen.items()]


def value(context: LaunchContext, name: str) -> str:
    """Return the value of an argument."""
    return str(LaunchConfiguration(name).perform(context))


def is_on(context: LaunchContext, name: str) -> bool:
    """Return whether a switch is on."""
    return value(context, name) == "true"


def given(context: LaunchContext, kinds: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """Return the arguments that are not empty as parameters of the same names."""
    texts = {name: value(context, name) for name in kinds}
    return {name: kinds[name](text) for name, text in texts.items() if text}


def node(
    context: LaunchContext,
    executable: str,
    parameters: Mapping[str, Any] | None = None,
    lasts: bool = True,
    **options: Any,
) -> Node:
    """Return a node of this package, in the namespace and with the parameters that are asked for.

    Args:
        context: of the launch.
        executable: of the node; also its name.
        parameters: take precedence over the parameter file.
        lasts: ``respawn`` starts it again; False for what ends when its work is done.
        options: further ones of ``launch_ros.actions.Node``.
    """
    own = {**given(context, {"use_sim_time": "true".__eq__}), **(parameters or {})}
    return Node(
        package=PACKAGE,
        executable=executable,
        name=executable,
        namespace=value(context, "namespace"),
        parameters=[value(context, "params_file"), *([own] if own else [])],
        arguments=["--ros-args", *_ros_arguments(context, executable)],
        respawn=is_on(context, "respawn") and lasts,
        respawn_delay=RESPAWN_DELAY,
        output="screen",
        **options,
    )


def _ros_arguments(context: LaunchContext, executable: str) -> list[str]:
    level = ["--log-level", value(context, "log_level")]
    enclaves = value(context, "enclaves").rstrip("/")
    return [*level, "--enclave", f"{enclaves}/{executable}"] if enclaves else level


def graph(context: LaunchContext) -> list[Node]:
    """Return smoothing, preprocessing and recognition, all with the same model."""
    model = given(context, {"model": str})
    return [node(context, executable, model) for executable in GRAPH]


def source(context: LaunchContext, wait_for: Sequence[str] = GRAPH) -> Node:
    """Return the node that hands come from.

    Args:
        context: of the launch.
        wait_for: nodes that must listen before a recording's first frame is sent.
    """
    kind = value(context, "source")
    if kind == "replay":
        return node(context, "replay_node", _played(context, wait_for), lasts=False)
    parameters: dict[str, Any] = {} if kind == "leap" else {"wait_for": list(wait_for)}
    if kind == "camera":
        parameters |= given(context, {"input": str, "model": str})
    file = parameters.get("input", "")  # a device is neither a file nor a folder
    ends = bool(file) and (Path(file).is_file() or Path(file).is_dir())
    return node(context, f"{kind}_node", parameters, lasts=not ends)


def replay(context: LaunchContext, wait_for: Sequence[str]) -> Node:
    """Return replay_node, which gives the time on /clock."""
    clock = given(context, {"clock": float})
    parameters = _played(context, wait_for) | clock | {"use_sim_time": False}
    return node(context, "replay_node", parameters, lasts=False)


def _played(context: LaunchContext, wait_for: Sequence[str]) -> dict[str, Any]:
    kinds: dict[str, Callable[[str], Any]]
    kinds = {"bag": str, "rate": float, "loop": "true".__eq__, "restamp": "true".__eq__}
    return {"wait_for": list(wait_for) or [""], **given(context, kinds)}


def sensor(context: LaunchContext) -> list[Node]:
    """Return the node of the sensor that is recorded, where one is to be started."""
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
    """Return annotation_node, whose end ends the launch."""
    kinds: dict[str, Callable[[str], Any]] = dict.fromkeys(
        ("glosses", "signer", "out", "images"), text
    )
    kinds |= {"takes": int, "seed": int, "shuffle": "true".__eq__}
    kinds |= dict.fromkeys(("countdown", "signing", "rest", "away"), float)
    end = Shutdown(reason="the session has ended")
    return node(context, "annotation_node", given(context, kinds), lasts=False, on_exit=end)


def ros2_bag(context: LaunchContext) -> list[ExecuteProcess]:
    """Return ``ros2 bag record`` of hands, labels, prompts and pictures, where it is asked for."""
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
    """Return a word as a parameter that stays a text, also where it looks like NO or 7."""
    return ParameterValue(word, value_type=str)


def commands(context: LaunchContext) -> list[Node]:
    """Return command_node where a commands file is given."""
    file = given(context, {"commands_file": str})
    return [node(context, "command_node", file)] if file else []


def visualization(context: LaunchContext) -> list[Node]:
    """Return visualization_node where it is asked for."""
    return [node(context, "visualization_node")] if is_on(context, "visualize") else []
