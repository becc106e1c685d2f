# SPDX-License-Identifier: MIT
"""The systemd unit of the kiosk guide: valid, and its stop reaches every node."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from whispersign_ros.node.shutdown import ENDING_TIMEOUT

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "kiosk.md"


def _unit():
    (unit,) = re.findall(r"```ini\n(\[Unit\].*?)```", PAGE.read_text(), re.DOTALL)
    return unit


def test_a_stop_reaches_every_node_and_leaves_it_time():
    options = dict(line.split("=", 1) for line in _unit().splitlines() if "=" in line)
    assert options.get("KillMode", "control-group") == "control-group"
    assert options.get("KillSignal", "SIGTERM") == "SIGTERM"
    assert float(options["TimeoutStopSec"]) > 2 * ENDING_TIMEOUT


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is missing")
def test_systemd_accepts_the_unit(tmp_path):
    file = tmp_path / "whispersign.service"
    file.write_text(_unit())
    done = subprocess.run(
        ["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
