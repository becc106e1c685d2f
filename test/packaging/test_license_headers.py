# SPDX-License-Identifier: MIT
"""Every source names its license, so that a copied file still does."""

from __future__ import annotations

import re
import subprocess

HEADER = "# SPDX-License-Identifier: MIT"
SOURCES = re.compile(r"(\.(action|msg|py|sh|ya?ml)|(^|/)(CMakeLists\.txt|Makefile|run))$")
WRITTEN_BY_PROGRAMS = ("whispersign_model/assets/",)


def test_every_source_names_its_license(sources):
    kept = subprocess.run(
        ["git", "ls-files"], cwd=sources.root, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    paths = [
        path for path in kept if SOURCES.search(path) and not path.startswith(WRITTEN_BY_PROGRAMS)
    ]
    assert {"Makefile", ".ci/run", "whispersign_msgs/msg/Gloss.msg", "setup.py"} <= set(paths)
    bare = []
    for path in paths:
        lines = (sources.root / path).read_text(encoding="utf-8").splitlines()
        if HEADER not in lines[:1] + lines[1:2] * lines[0].startswith("#!"):
            bare.append(path)
    assert bare == []
