# SPDX-License-Identifier: MIT
"""The arguments of record.launch.py and replay.launch.py: described, read, and passed on."""

from __future__ import annotations

import pytest

pytest.importorskip("launch_ros", reason="the launch packages of ROS 2 are not installed")

import launched
from launch.actions import ExecuteProcess, Shutdown
from launch_ros.actions import Node

from whispersign_ros.graph import launch_utils
from whispersign_ros.node.entry_points import GRAPH

SOURCES = ("leap", "camera", "synthetic", "none")


def _actions(name, **given):
    module = launched.module(name)
    context = launched.configured(module, **given)
    return module._nodes(context), context


def _nodes(name, **given):
    """Return the executables that would start, each with its parameters as one dictionary."""
    actions, context = _actions(name, **given)
    nodes = {}
    for node in actions:
        if isinstance(node, Node):
            merged = {}
            for part in node._Node__parameters[1:]:
                for key, value in part.items():
                    is_text = hasattr(value, "evaluate")
                    merged["".join(s.perform(context) for s in key)] = (
                        value.evaluate(context) if is_text else value
                    )
            nodes[node.node_executable] = merged
    return nodes


@pytest.mark.parametrize("name", ["record", "replay"])
def test_every_argument_is_described_and_read(name, monkeypatch):
    arguments = launched.declared(launched.module(name))
    assert all(len(argument.description) > 10 for argument in arguments)
    read = {"discovery"}  # read beside the nodes
    value = launch_utils.value
    monkeypatch.setattr(
        launch_utils, "value", lambda context, name: read.add(name) or value(context, name)
    )
    for source in SOURCES:
        _nodes(name, source=source, ros2_bag="x")
    assert read == {argument.name for argument in arguments} | {"discovery"}


def test_a_session_beside_each_sensor():
    for source in SOURCES:
        wanted = {"annotation_node"} | ({f"{source}_node"} - {"none_node"})
        assert set(_nodes("record", source=source)) == wanted


def test_the_made_up_person_follows_the_prompts():
    nodes = _nodes("record", source="synthetic", seed="3")
    assert nodes["synthetic_node"]["prompted"] is True
    assert nodes["synthetic_node"]["seed"] == nodes["annotation_node"]["seed"] == 3


def test_the_words_of_a_session_stay_words():
    given = {"glosses": "NO", "signer": "007", "takes": "4", "countdown": "1", "shuffle": "false"}
    session = _nodes("record", **given)["annotation_node"]
    assert (session["glosses"], session["signer"]) == ("NO", "007")
    assert (session["takes"], session["countdown"], session["shuffle"]) == (4, 1.0, False)
    assert set(_nodes("record")["annotation_node"]) == set()


def test_the_end_of_a_session_ends_the_launch():
    actions, _ = _actions("record")
    (session,) = [action for action in actions if action.node_executable == "annotation_node"]
    assert isinstance(session._ExecuteLocal__on_exit, Shutdown)


@pytest.mark.parametrize("distribution", ["humble", "jazzy"])
def test_ros2_bag_records_beside_the_session(monkeypatch, distribution):
    monkeypatch.setenv("ROS_DISTRO", distribution)
    actions, context = _actions("record", ros2_bag="all", namespace="booth", images="/camera/image")
    (recorder,) = [a for a in actions if isinstance(a, ExecuteProcess) and not isinstance(a, Node)]
    command = ["".join(s.perform(context) for s in word) for word in recorder.cmd]
    assert command[:5] == ["ros2", "bag", "record", "--output", "all"]
    assert ("--topics" in command) == (distribution != "humble")
    assert command[-4:] == [
        "/booth/hands/raw",
        "/booth/annotation",
        "/booth/prompt",
        "/camera/image",
    ]


def test_all_but_the_player_take_the_time_from_it():
    nodes = _nodes("replay", bag="b", commands_file="c")
    assert nodes["replay_node"]["use_sim_time"] is False
    assert nodes["replay_node"]["clock"] == 100.0
    assert nodes["replay_node"]["restamp"] is False
    others = {name: node["use_sim_time"] for name, node in nodes.items() if name != "replay_node"}
    assert others == dict.fromkeys((*GRAPH, "command_node"), True)
    assert {name: nodes[name]["max_age"] for name in GRAPH} == dict.fromkeys(GRAPH, 0.0)
    assert set(_nodes("replay", graph="false")) == {"replay_node"}
