# SPDX-License-Identifier: MIT
"""Put the developer tools on the import path of processes that tests start."""

import os
from pathlib import Path

import pytest

TOOLS = str(Path(__file__).parents[3] / "tools")


@pytest.fixture(autouse=True)
def _tools_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", TOOLS, prepend=os.pathsep)
