# SPDX-License-Identifier: MIT
"""The launch file's arguments: described, read, and passed on."""

from __future__ import annotations

import os

import pytest
import yaml

pytest.importorskip("launch_ros", reason="the launch packages of ROS 2 are not installed")

import launched
from launch.actions import OpaqueFunction, SetEnvironmentVariable
from launch_ros.actions import Node

from launch import LaunchContext
from whispersign_ros.graph import launch_utils
from whispersign_ros.node.discovery import OLDER, PROFILE, PROFILE_VARIABLES, VARIABLE


@pytest.fixture
def module():
    return launched.module("whispersign")


def _nodes(module, **given):
    """Return the executables that would start, each with its parameters as one dictionary."""
    context = launched.configured(module, **given)
    nodes = {}
    for node in module._nodes(context):
        assert isinstance(node, Node)
        merged = {}
        for part in node._Node__parameters[1:]:
            merged |= {"".join(s.perform(context) for s in k): v for k, v in part.items()}
        nodes[node.node_executable] = merged
    return nodes


def test_every_argument_is_described(module):
    for argument in launched.declared(module):
        assert len(argument.description) > 10, argument.name


def test_only_sources_that_exist_are_offered(module):
    source = next(argument for argument in launched.declared(module) if argument.name == "source")
    assert source.choices == ["camera", "leap", "replay", "synthetic"]


OF_SOURCE = {"replay": {"bag", "playback_speed", "loop", "restamp"}, "camera": {"input"}}


@pytest.mark.parametrize("source", ["camera", "leap", "replay", "synthetic"])
def test_every_argument_is_read(module, monkeypatch, source):
    read = set()
    value = launch_utils.value
    monkeypatch.setattr(
        launch_utils, "value", lambda context, name: read.add(name) or value(context, name)
    )
    _nodes(module, source=source)
    context = LaunchContext()
    context.launch_configurations["discovery"] = ""
    launch_utils.discovery(context)
    others = set().union(*(words for name, words in OF_SOURCE.items() if name != source))
    assert read == {argument.name for argument in launched.declared(module)} - others


def test_arguments_that_are_not_given_leave_the_parameter_file_alone(module):
    nodes = _nodes(module, source="synthetic")
    assert set(nodes["smoothing_node"]) == set()
    assert set(_nodes(module)["replay_node"]) == {"wait_for"}
    nodes = _nodes(module, source="synthetic", use_sim_time="true")
    assert nodes["smoothing_node"] == {"use_sim_time": True}


def test_no_frame_of_a_recording_is_too_old(module):
    stages = ("smoothing_node", "preprocessing_node", "recognition_node")
    recorded, live = _nodes(module, source="replay"), _nodes(module, source="leap")
    assert [recorded[stage].get("max_age") for stage in stages] == [0.0] * 3
    assert [live[stage].get("max_age") for stage in stages] == [None] * 3


def test_given_arguments_reach_their_nodes(module):
    given = {"model": "m", "bag": "b", "playback_speed": "2", "loop": "true", "restamp": "false"}
    nodes = _nodes(module, **given)
    for name in ("smoothing_node", "preprocessing_node", "recognition_node"):
        assert "model" in nodes[name]
    assert "model" in _nodes(module, source="camera", model="m")["camera_node"]
    assert nodes["replay_node"]["playback_speed"] == 2.0
    assert nodes["replay_node"]["loop"] is True
    assert nodes["replay_node"]["restamp"] is False
    assert "command_node" not in nodes
    assert "visualization_node" not in nodes
    assert set(_nodes(module, visualize="true")) == {*nodes, "visualization_node"}
    (given,) = _nodes(module, commands_file="c")["command_node"]["commands_file"]
    assert yaml.safe_load(given.text) == "c"
    assert set(_nodes(module, source="synthetic")) == {
        "synthetic_node",
        "smoothing_node",
        "preprocessing_node",
        "recognition_node",
    }


def _environment(monkeypatch, discovery, **variables):
    """Return the variables that a launch file leaves to its nodes."""
    names = (VARIABLE, OLDER, *PROFILE_VARIABLES)
    for name in names:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    context = LaunchContext()
    context.launch_configurations["discovery"] = discovery
    for action in launch_utils.discovery(context):
        action.execute(context)
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def test_nodes_are_reached_from_this_machine_alone_unless_asked_otherwise(monkeypatch):
    monkeypatch.setenv("ROS_DISTRO", "kilted")
    name = VARIABLE
    local = {name: "LOCALHOST", PROFILE_VARIABLES[0]: str(PROFILE)}
    assert _environment(monkeypatch, "") == local
    assert _environment(monkeypatch, "subnet") == {name: "SUBNET"}
    assert _environment(monkeypatch, "", **{name: "SUBNET"}) == {name: "SUBNET"}
    assert _environment(monkeypatch, "localhost", **{name: "SUBNET"}) == local
    own = {PROFILE_VARIABLES[0]: "/own.xml"}
    assert _environment(monkeypatch, "", **own) == {name: "LOCALHOST", **own}
    older = {OLDER: "1"}
    assert _environment(monkeypatch, "", **older) == local
    assert _environment(monkeypatch, "subnet", **older) == {name: "SUBNET"}


def test_the_variables_are_set_before_the_nodes_start(module, monkeypatch):
    for name in (VARIABLE, OLDER):
        monkeypatch.delenv(name, raising=False)
    context = launched.configured(module)
    entities = module.generate_launch_description().entities
    (function,) = [entity for entity in entities if isinstance(entity, OpaqueFunction)]
    first, *_, last = function.execute(context)
    assert isinstance(first, SetEnvironmentVariable)
    assert isinstance(last, Node)


def test_each_node_has_an_enclave_of_its_own_where_asked_for(module):
    def words(**given):
        context = launched.configured(module, **given)
        return {node.node_executable: node._Node__arguments for node in module._nodes(context)}

    for executable, arguments in words(enclaves="/whispersign/").items():
        assert arguments[-2:] == ["--enclave", f"/whispersign/{executable}"]
    assert not any("--enclave" in arguments for arguments in words().values())
