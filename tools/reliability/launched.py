# SPDX-License-Identifier: MIT
"""The graph without a source, started by a launch as users start it."""

import sys
from pathlib import Path

import yaml
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import LaunchDescriptionSource

from launch import LaunchContext, LaunchDescription, LaunchService
from whispersign_ros.graph import launch_utils as utils


def description() -> LaunchDescription:
    """Return the nodes of ``whispersign.launch.py`` but for the source."""
    return utils.describe((utils.MODEL, utils.COMMANDS, *utils.COMMON), _nodes)


def _nodes(context: LaunchContext) -> list[object]:
    return [*utils.commands(context), *utils.graph(context, recorded=False)]


def main() -> int:
    """Run the launch until a signal; the arguments are in the file of ROS parameters."""
    arguments = yaml.safe_load(Path(sys.argv[-1]).read_text())["/**"]["ros__parameters"]
    source = LaunchDescriptionSource(description())
    service = LaunchService(argv=sys.argv[1:])
    service.include_launch_description(
        LaunchDescription(
            [IncludeLaunchDescription(source, launch_arguments=list(arguments.items()))]
        )
    )
    return int(service.run())


if __name__ == "__main__":
    raise SystemExit(main())
