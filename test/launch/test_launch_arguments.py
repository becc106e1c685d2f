"""The launch file's arguments: described, read, and passed on."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml

pytest.importorskip("launch_ros", reason="the launch packages of ROS 2 are not installed")

from launch.actions import DeclareLaunchArgument
from launch_ros.actions import Node

from launch import LaunchContext

FILE = Path(__file__).parents[2] / "launch" / "whispersign.launch.py"


@pytest.fixture
def module():
    spec = importlib.util.spec_from_file_location("whispersign_launch", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _arguments(module):
    entities = module.generate_launch_description().entities
    return [entity for entity in entities if isinstance(entity, DeclareLaunchArgument)]


def _nodes(module, **given):
    """Return the executables that would start, each with its parameters as one dictionary."""
    context = LaunchContext()
    for argument in _arguments(module):
        argument.execute(context)
    context.launch_configurations.update(given)
    nodes = {}
    for node in module._nodes(context):
        assert isinstance(node, Node)
        merged = {}
        for part in node._Node__parameters[1:]:
            merged |= {"".join(s.perform(context) for s in k): v for k, v in part.items()}
        nodes[node.node_executable] = merged
    return nodes


def test_every_argument_is_described(module):
    for argument in _arguments(module):
        assert len(argument.description) > 10, argument.name


def test_only_sources_that_exist_are_offered(module):
    source = next(argument for argument in _arguments(module) if argument.name == "source")
    assert source.choices == ["camera", "leap", "replay", "synthetic"]


OF_SOURCE = {"replay": {"bag", "rate", "loop", "restamp"}, "camera": {"input"}}


@pytest.mark.parametrize("source", ["camera", "leap", "replay", "synthetic"])
def test_every_argument_is_read(module, monkeypatch, source):
    read = set()
    value = module._value
    monkeypatch.setattr(
        module, "_value", lambda context, name: read.add(name) or value(context, name)
    )
    _nodes(module, source=source)
    others = set().union(*(words for name, words in OF_SOURCE.items() if name != source))
    assert read == {argument.name for argument in _arguments(module)} - others


def test_arguments_that_are_not_given_leave_the_parameter_file_alone(module):
    nodes = _nodes(module)
    assert set(nodes["smoothing_node"]) == {"use_sim_time"}
    assert set(nodes["replay_node"]) == {"use_sim_time", "wait_for"}


def test_given_arguments_reach_their_nodes(module):
    given = {"model": "m", "bag": "b", "rate": "2", "loop": "true", "restamp": "false"}
    nodes = _nodes(module, **given)
    for name in ("smoothing_node", "preprocessing_node", "recognition_node"):
        assert "model" in nodes[name]
    assert nodes["replay_node"]["rate"] == 2.0
    assert nodes["replay_node"]["loop"] is True
    assert nodes["replay_node"]["restamp"] is False
    assert "command_node" not in nodes
    (given,) = _nodes(module, commands_file="c")["command_node"]["commands_file"]
    assert yaml.safe_load(given.text) == "c"
    assert set(_nodes(module, source="synthetic")) == {
        "synthetic_node",
        "smoothing_node",
        "preprocessing_node",
        "recognition_node",
    }
