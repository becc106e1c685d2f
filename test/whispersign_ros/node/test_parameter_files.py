# SPDX-License-Identifier: MIT
"""Sections of parameter files: slips are found, other nodes are left alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml

from whispersign_model.errors import ConfigError
from whispersign_ros.node.assets import DEMO_BAG
from whispersign_ros.node.entry_points import NODES
from whispersign_ros.node.parameter_files import check_files


def _check(tmp_path, content):
    file = tmp_path / "parameters.yaml"
    file.write_text(yaml.safe_dump(content))
    check_files(["node", "--ros-args", "--params-file", str(file), "-p", "a:=b"], NODES)


SECTION = {"ros__parameters": {"model": "demo"}}
NESTED = {"ros__parameters": {"playback_speed": 1.0, "camera_nod": {"x": 1}}}


@pytest.mark.parametrize(
    "content",
    [
        {"/**": NESTED, "/**/camera_node": NESTED, "pipeline": SECTION},
        {"/robot1/camera_node": SECTION, "robot2": {"camera_node": SECTION}},
        {"camera_node_left": SECTION, "/my_camera_node": SECTION, "/rviz": SECTION},
        {"controller_server": {"controller_server": SECTION}},
        {"/**/preprocess_node": {"ros__parameters": {"image_size": 640}}},
        ["no", "sections"],
        None,
    ],
)
def test_what_is_no_slip_passes(tmp_path, content):
    _check(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "slip", "meant"),
    [
        ({"/**/camera_nod": SECTION}, "camera_nod", "camera_node"),
        ({"robot1": {"recognitionnode": SECTION}}, "recognitionnode", "recognition_node"),
        ({"/**": SECTION, "/a/b/smothing_node": SECTION}, "smothing_node", "smoothing_node"),
        ({"/pipline": {"ros__parameters": {"source": "leap"}}}, "pipline", "pipeline"),
    ],
)
def test_a_slip_is_refused_with_what_was_meant(tmp_path, content, slip, meant):
    with pytest.raises(ConfigError, match=rf"no node '{slip}'; did you mean '{meant}'\?"):
        _check(tmp_path, content)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (os.mkfifo, "it is a FIFO"),
        (os.mkdir, "Is a directory"),
        (lambda path: os.symlink("/dev/zero", path), "it is a FIFO, a device or a socket"),
        (lambda path: path.write_text("#" * (1 << 20) + "#"), "is larger than 1 MB"),
        (lambda path: None, "No such file"),
    ],
)
def test_a_file_that_ros_could_not_read_is_refused_before_it_tries(tmp_path, make, fault):
    file = tmp_path / "parameters.yaml"
    make(file)
    command = [sys.executable, "-c", "from whispersign_ros.node.runner import main; "
               "raise SystemExit(main('smoothing_node'))"]  # fmt: skip
    command += ["--ros-args", "--params-file", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"smoothing_node: error: {file}: ")
    assert fault in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_what_is_for_all_nodes_is_refused_only_where_none_of_ours_reads_it(tmp_path):
    file = tmp_path / "parameters.yaml"
    for name, code in (("model", 0), ("modle", 2)):
        file.write_text(yaml.safe_dump({"/**": {"ros__parameters": {name: "demo"}}}))
        command = [sys.executable, "-m", "whispersign_ros.nodes", "replay_node", "--ros-args"]
        command += [
            "--params-file",
            str(file),
            "-p",
            f"bag:={DEMO_BAG}",
            "-p",
            "playback_speed:=10.0",
        ]
        command += ["-p", "wait_timeout:=0.0"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
    assert "parameter 'modle' of replay_node: is not known" in done.stderr


def test_what_cannot_be_read_is_left_to_ros(tmp_path):
    file = tmp_path / "parameters.yaml"
    file.write_bytes(b"\xff: [")
    for path in (file, tmp_path / "missing"):
        check_files(["--ros-args", "--params-file", str(path)], NODES)


def test_every_node_is_known():
    assert {"camera_node", "command_node", "pipeline", "recognition_node"} <= set(NODES)
