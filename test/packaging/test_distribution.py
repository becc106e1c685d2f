# SPDX-License-Identifier: MIT
"""What is installed: one version, every executable and verb, everything ROS 2 looks for."""

from __future__ import annotations

import importlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml

import whispersign_model
from whispersign_model.runtime.onnx_backend import OLDEST_RUNTIME

DISTRIBUTION = distribution("whispersign_ros")
SCRIPTS = {e.name: e for e in DISTRIBUTION.entry_points if e.group == "console_scripts"}
VERBS = {e.name: e for e in DISTRIBUTION.entry_points if e.group == "whispersign.verbs"}
PREFIX = Path(sys.prefix)


def test_one_version_everywhere(sources):
    citation = yaml.safe_load((sources.root / "CITATION.cff").read_text())
    found = {"distribution": DISTRIBUTION.version, "CITATION.cff": citation["version"]}
    for name in ("package.xml", "whispersign_msgs/package.xml"):
        found[name] = ElementTree.parse(sources.root / name).findtext("version")
    assert set(found.values()) == {whispersign_model.__version__}, found


def test_the_scripts_and_verbs_are_those_of_the_manual():
    nodes = {"preprocessing_node", "recognition_node", "replay_node", "smoothing_node"}
    assert {"pipeline", "synthetic_node", "whispersign", *nodes} <= set(SCRIPTS)
    verbs = {"convert", "demo", "evaluate", "import", "recognize", "synthesize", "train"}
    assert verbs <= set(VERBS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_can_be_loaded(name):
    assert callable(SCRIPTS[name].load())


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_help_arguments_and_an_action(name):
    module = VERBS[name].load()
    assert module.__doc__.splitlines()[0].strip()
    assert callable(module.add_arguments)
    assert callable(module.run)


def test_the_command_lists_every_verb_with_an_empty_environment():
    answer = subprocess.run(
        [PREFIX / "bin" / "whispersign", "--help"],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert set(VERBS) <= set(answer.stdout.split())


def test_ros_finds_the_package_its_executables_and_its_launch_files(sources):
    share = PREFIX / "share" / "whispersign_ros"
    assert (PREFIX / "share/ament_index/resource_index/packages/whispersign_ros").is_file()
    assert (share / "package.xml").read_bytes() == (sources.root / "package.xml").read_bytes()
    for folder in ("launch", "config"):
        ours = {path.relative_to(sources.root) for path in (sources.root / folder).rglob("*.*")}
        assert ours
        assert all((share / path).exists() for path in ours)
    nodes = {name for name, e in SCRIPTS.items() if e.module.startswith("whispersign_ros.")}
    executables = {path.name for path in (PREFIX / "lib/whispersign_ros").iterdir()}
    assert executables == nodes
    for name in nodes:
        text = (PREFIX / "lib/whispersign_ros" / name).read_text()
        assert SCRIPTS[name].module in text


def test_message_definitions_come_with_the_python_package(sources):
    ours = {path.name for path in (sources.root / "whispersign_msgs/msg").glob("*.msg")}
    packaged = sources.root / "whispersign_model/recordings/bags/msg"
    assert {path.name for path in packaged.glob("*.msg")} == ours
    patterns = (sources.root / "setup.cfg").read_text()
    assert "recordings/bags/msg/*.msg" in patterns


def test_every_data_file_of_the_packages_is_packaged(sources):
    """Only files that a pattern of ``setup.cfg`` matches would reach a user of a built package."""
    config = importlib.import_module("configparser").ConfigParser()
    config.read(sources.root / "setup.cfg")
    for package in ("whispersign_model", "whispersign_ros"):
        folder = sources.root / package
        patterns = config["options.package_data"][package].split()
        packaged = {path for pattern in patterns for path in folder.glob(pattern)}
        kept = subprocess.run(
            ["git", "ls-files", "-z", package],
            cwd=sources.root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\0")
        data = {sources.root / name for name in kept if name and not name.endswith(".py")}
        data -= {folder / "recordings/bags/msg"}  # a link
        assert data - packaged == set()


def test_the_package_requires_a_runtime_that_loads_its_networks(sources):
    requirements = (sources.root / "setup.cfg").read_text()
    assert f"onnxruntime >= {OLDEST_RUNTIME}\n" in requirements
