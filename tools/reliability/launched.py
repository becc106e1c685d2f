# SPDX-License-Identifier: MIT
"""The graph without a source, started by a launch as users start it."""

import sys
from io import TextIOWrapper
from pathlib import Path

import yaml
from launch.actions import SetLaunchConfiguration

from launch import LaunchContext, LaunchDescription, LaunchService
from whispersign_ros.graph import launch_utils as utils


def _nodes(context: LaunchContext) -> list[object]:
    """Return the nodes of ``whispersign.launch.py`` but for the source."""
    return [*utils.commands(context), *utils.graph(context, recorded=False)]


def main() -> int:
    """Run the launch until a signal; the file of ROS parameters holds the launch arguments."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # the log is read while the launch runs
    arguments = yaml.safe_load(Path(sys.argv[-1]).read_text())["/**"]["ros__parameters"]
    values = [SetLaunchConfiguration(name, value) for name, value in arguments.items()]
    description = utils.describe((utils.MODEL, utils.COMMANDS, *utils.COMMON), _nodes)
    service = LaunchService()
    service.include_launch_description(LaunchDescription([*values, description]))
    return int(service.run())


if __name__ == "__main__":
    raise SystemExit(main())
