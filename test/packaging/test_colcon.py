# SPDX-License-Identifier: MIT
"""``colcon`` at the root sees both ROS packages."""

from __future__ import annotations

import os
import subprocess
import sys


def test_colcon_lists_both_packages(sources, tmp_path):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COLCON")}
    answer = subprocess.run(
        [sys.executable, "-m", "colcon", "--log-base", str(tmp_path), "list"],
        cwd=sources.root,
        env={**environ, "COLCON_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    packages = {tuple(line.split("\t")) for line in answer.stdout.splitlines()}
    assert packages == {
        ("whispersign_msgs", "whispersign_msgs", "(ros.ament_cmake)"),
        ("whispersign_ros", ".", "(ros.ament_python)"),
    }
