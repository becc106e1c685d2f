# SPDX-License-Identifier: MIT
"""ONNX Runtime sends nothing and stores nothing in the home folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from whispersign_model.bundled import ASSETS

SCRIPT = """
import os, sys
from pathlib import Path
from whispersign_model.runtime.onnx_backend import OnnxBackend
OnnxBackend(Path(sys.argv[1]), "cpu")
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""


def test_a_process_that_recognises_leaves_nothing_in_the_home_folder(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(ASSETS / "demo_model" / "model.onnx")],
        capture_output=True,
        text=True,
        # Without the variables of a build server, where ONNX Runtime sends nothing anyway.
        env={"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
    assert list(tmp_path.rglob("*")) == []
