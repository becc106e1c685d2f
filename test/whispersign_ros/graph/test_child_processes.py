# SPDX-License-Identifier: MIT
"""Child processes end with their parent."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CHILD = (
    "import os\n"
    "from whispersign_ros.graph.child_processes import end_with_parent\n"
    "end_with_parent({parent})\n"
    "print('works')\n"
)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
@pytest.mark.parametrize(("other", "output"), [(0, "works\n"), (1, "")])
def test_a_child_whose_parent_has_died_already_ends(other, output):
    parent = os.getpid() + other
    done = subprocess.run(
        [sys.executable, "-c", CHILD.replace("{parent}", str(parent))],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, output)
