# SPDX-License-Identifier: MIT
"""Who may import what: no ROS in the model package, no torch where a robot has none."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from importlib.util import find_spec
from pathlib import Path

import pytest

ROS = (
    *("ament_index_python", "rclpy", "rosbag2_py", "whispersign_ros"),
    *("launch", "launch_pytest", "launch_ros", "launch_testing", "launch_testing_ros"),
)
HEAVY = (
    *("torch", "lightning", "torchmetrics", "tensorboard", "mediapipe", "cv2", "matplotlib"),
    *("onnx", "onnxscript"),
)
# The only modules that may need torch; of these, some load without it.
TORCH = re.compile(
    r"whispersign_model\.(benchmarks|crossval|evaluation|training|training_data|network|"
    r"runtime\.(export|torch_backend))\b"
)
LIGHT = (
    *("whispersign_model.network.checkpoint", "whispersign_model.network.config"),
    *("whispersign_model.network.onnx_file", "whispersign_model.runtime.loading"),
    *("whispersign_model.runtime.onnx_backend", "whispersign_model.benchmarks.streaming"),
)
# What a robot runs: no module of these folders, loaded, brings in a heavy library.
ON_A_ROBOT = (
    "whispersign_ros",
    *(
        f"whispersign_model/{part}"
        for part in ("cli", "decoding", "datasets", "features", "recordings")
    ),
)
# Distributions whose import has another name.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "catkin_pkg": "catkin-pkg",
    "compression": "backports",  # backports.zstd, in the standard library since Python 3.14
    "cv2": "opencv-contrib-python",
    "google": "protobuf",
    "yaml": "pyyaml",
}
# Declared though no module imports them: what uses them, and why.
USED_OTHERWISE = {
    "onnxscript": "torch.onnx exports with it",
    "tensorboard": "shows the curves that training writes",
    "check-jsonschema": "make lint runs it",
    "codespell": "make lint runs it",
    "import-linter": "make lint runs it",
    "mypy": "make lint runs it",
    "pre-commit": "make lint runs it",
    "pytest-timeout": "make test ends a test that hangs",
    "pytest-xdist": "make test runs two workers",
    "ruff": "make lint runs it",
    "furo": "make docs uses it",
    "myst-parser": "make docs uses it",
    "sphinx": "make docs runs it",
    "types-pyyaml": "mypy reads them",
}


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_the_model_package_never_imports_ros(sources):
    found = [
        f"{module_name(path, sources.root)} imports {name}"
        for path, name in sources.imports("whispersign_model")
        if name.split(".")[0] in ROS or name.split(".")[0].endswith("_msgs")
    ]
    assert not found


def test_only_network_training_and_its_backend_import_torch(sources):
    torch_modules = {
        module_name(path, sources.root)
        for folder in ("whispersign_model", "whispersign_ros")
        for path, name in sources.imports(folder)
        if name.split(".")[0] in ("torch", "lightning", "torchmetrics")
    }
    assert {name for name in torch_modules if not TORCH.match(name)} == set()
    assert torch_modules  # the pattern still means something


def test_what_nodes_and_recordings_need_loads_without_torch(sources):
    light = [
        module_name(path, sources.root) for folder in ON_A_ROBOT for path in sources.trees(folder)
    ]
    light += LIGHT
    if find_spec("launch_ros") is None:
        light.remove("whispersign_ros.graph.launch_utils")
    assert "whispersign_ros.nodes.recognition_node" in light
    code = (
        "import importlib, json, sys\n"
        f"for name in {light!r}: importlib.import_module(name)\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout.splitlines()[-1]) == []


def third_party(sources, *folders: str) -> set[str]:
    """Return the distributions that these folders import."""
    ours = {"reliability", "whispersign_model", "whispersign_ros", "whispersign_msgs"}
    for folder_of_modules in ("tools", "test/launch"):
        ours |= {path.stem for path in (sources.root / folder_of_modules).glob("*.py")}
    tops = {name.split(".")[0] for folder in folders for _, name in sources.imports(folder)}
    return {
        DISTRIBUTIONS.get(top, top)
        for top in tops - ours - set(sys.stdlib_module_names)
        if top not in ROS and not top.endswith(("_msgs", "_srvs", "_interfaces"))
    }


def declared(sources) -> dict[str, set[str]]:
    """Return what ``setup.cfg`` declares, by extra; the core under the empty name."""
    config = configparser.ConfigParser()
    config.read(sources.root / "setup.cfg")
    lists = {"": config["options"]["install_requires"], **config["options.extras_require"]}
    return {
        extra: {
            re.split(r"[^\w-]", line, maxsplit=1)[0].lower() for line in text.split("\n") if line
        }
        for extra, text in lists.items()
    }


def test_every_import_is_declared_and_every_declaration_is_used(sources):
    names = set().union(*declared(sources).values())
    imported = third_party(sources, "whispersign_model", "whispersign_ros", "tools", "test")
    assert imported - names - {"setuptools"} == set()
    assert names - imported - set(USED_OTHERWISE) == set()


@pytest.mark.parametrize("folder", ["whispersign_ros", "launch"])
def test_every_ros_package_in_use_is_in_package_xml(sources, folder):
    tops = {name.split(".")[0] for _, name in sources.imports(folder)}
    used = {top for top in tops if top in ROS or top.endswith(("_msgs", "_srvs", "_interfaces"))}
    named = {
        element.text
        for element in ElementTree.parse(sources.root / "package.xml").getroot()
        if element.tag.endswith("depend")
    }
    assert used - {"whispersign_ros"} - named == set()
