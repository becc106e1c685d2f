# SPDX-License-Identifier: MIT
"""Parameters: every table, the parameter file, and what a rejection says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml
from rclpy.node import Node
from rclpy.parameter import Parameter

from whispersign_model.errors import ConfigError
from whispersign_ros.node import managed_node, parameters
from whispersign_ros.node.parameters import ParameterSpec, declare, table_text
from whispersign_ros.nodes import (
    annotation_node,
    camera_node,
    command_node,
    leap_node,
    pipeline,
    preprocessing_node,
    recognition_node,
    replay_node,
    robot_node,
    smoothing_node,
    synthetic_node,
    visualization_node,
)

ROOT = Path(__file__).parents[3]
TABLES = {
    "annotation_node": annotation_node.PARAMETERS,
    "camera_node": camera_node.PARAMETERS,
    "command_node": command_node.PARAMETERS,
    "leap_node": leap_node.PARAMETERS,
    "replay_node": replay_node.PARAMETERS,
    "synthetic_node": synthetic_node.PARAMETERS,
    "smoothing_node": smoothing_node.PARAMETERS,
    "preprocessing_node": preprocessing_node.PARAMETERS,
    "recognition_node": recognition_node.PARAMETERS,
    "visualization_node": visualization_node.PARAMETERS,
    "robot_node": robot_node.PARAMETERS,
    "pipeline": pipeline.PARAMETERS,
}
SENSORS = (
    "camera_node",
    "leap_node",
)  # read in part only with hardware; test_configuration finds the rest
PARAMETERS = (
    ParameterSpec("speed", 1.0, "metres per second", (0.5, 2.0)),
    ParameterSpec("count", 3, "how many", (1, 5)),
    ParameterSpec("kind", "a", "which", choices=("a", "b")),
    ParameterSpec("paths", "", "where", one_or_many=True),
    ParameterSpec("words", ["x"], "some words"),
    ParameterSpec("on", True, "whether"),
)


def _node(graph, **values):
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    return graph.add(
        Node(
            "tested",
            automatically_declare_parameters_from_overrides=True,
            parameter_overrides=overrides,
        )
    )


def test_given_values_take_the_place_of_defaults(graph):
    assert declare(_node(graph), PARAMETERS) == {
        "speed": 1.0,
        "count": 3,
        "kind": "a",
        "paths": "",
        "words": ["x"],
        "on": True,
    }
    given = {
        "speed": 2.0,
        "count": 5,
        "kind": "b",
        "paths": ["p", "q"],
        "words": ["y"],
        "on": False,
    }
    assert declare(_node(graph, **given), PARAMETERS) == given


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("speed", 2.1, "float from 0.5 to 2.0"),
        ("speed", float("nan"), "float from 0.5 to 2.0"),
        ("speed", 1, "float from 0.5 to 2.0"),
        ("count", 0, "integer from 1 to 5"),
        ("count", "3", "integer from 1 to 5"),
        ("kind", "c", "'a' or 'b'"),
        ("paths", 3, "string or list of strings"),
        ("paths", [1, 2], "string or list of strings"),
        ("words", "x", "list of strings"),
        ("on", "yes", "true or false"),
    ],
)
def test_a_rejection_says_what_is_allowed(graph, name, value, allowed):
    with pytest.raises(ConfigError) as caught:
        declare(_node(graph, **{name: value}), PARAMETERS)
    assert str(caught.value).startswith(f"parameter '{name}' of tested: ")
    assert str(caught.value).endswith(f"allowed: {allowed}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "rule", "advice"),
    [
        ("paths", False, "paths:=NO", "write -p \"paths:='NO'\""),
        ("paths", [True, False], "paths:=[YES, NO]", "write -p \"paths:=['YES','NO']\""),
        ("kind", 7, "tested:kind:=007", "write -p \"tested:kind:='007'\""),
        ("paths", 1.5, "", "put the text of 'paths' in quotes"),
        ("words", [1, 2], "words:=[1,2]", "write -p \"words:=['1','2']\""),
        ("speed", 1, "speed:=1", "write 1.0"),
    ],
)
def test_values_of_another_type_by_yaml_rules(graph, monkeypatch, name, value, rule, advice):
    monkeypatch.setattr(sys, "argv", ["node", "--ros-args", *(["-p", rule] if rule else [])])
    with pytest.raises(ConfigError) as caught:
        declare(_node(graph, **{name: value}), PARAMETERS)
    assert f"; {advice}; allowed: " in str(caught.value)
    assert ("YAML reads" in str(caught.value)) == (name != "speed")


def test_no_advice_on_quotes_where_they_do_not_help(graph):
    for name, value in (("kind", "c"), ("kind", ["c"]), ("count", True)):
        with pytest.raises(ConfigError) as caught:
            declare(_node(graph, **{name: value}), PARAMETERS)
        assert "YAML" not in str(caught.value)


def test_names_that_nothing_reads_are_refused(graph):
    with pytest.raises(ConfigError, match=r"'sped' of tested: is not known; did you mean 'speed'"):
        declare(_node(graph, sped=1.0), PARAMETERS)
    with pytest.raises(ConfigError, match=r"'zzz' of tested: is not known; known: count, kind"):
        declare(_node(graph, zzz=1.0), PARAMETERS)
    known_elsewhere = _node(graph, zzz=1.0, use_sim_time=True)
    declare(known_elsewhere, PARAMETERS, also_known=["zzz"])
    assert known_elsewhere.get_parameter("use_sim_time").value is True


def test_descriptors_tell_description_and_range(graph):
    node = _node(graph)
    declare(node, PARAMETERS)
    speed = node.describe_parameter("speed")
    assert speed.description == "metres per second"
    assert speed.floating_point_range[0].from_value == 0.5
    assert speed.floating_point_range[0].to_value == 2.0
    assert node.describe_parameter("count").integer_range[0].to_value == 5
    assert "'a' or 'b'" in node.describe_parameter("kind").additional_constraints


def test_parameters_are_fixed_while_the_node_runs(graph):
    node = _node(graph)
    declare(node, PARAMETERS)
    result = node.set_parameters([Parameter("speed", value=1.5)])[0]
    assert not result.successful
    assert "read-only" in result.reason
    assert node.get_parameter("speed").value == 1.0


def test_the_table_as_text():
    row = "| `speed` | `1.0` | float from 0.5 to 2.0 | metres per second |"
    assert row in table_text(PARAMETERS)


@pytest.mark.parametrize("node", TABLES)
def test_every_setting_is_complete(node):
    for setting in TABLES[node]:
        assert setting.description
        number = isinstance(setting.default, (int, float)) and not isinstance(setting.default, bool)
        assert (setting.limits is not None) == number, setting
        if number:
            low, high = setting.limits
            assert low <= setting.default <= high
        if setting.choices:
            assert setting.default in setting.choices


@pytest.mark.parametrize("node", TABLES)
def test_the_parameter_file_shows_every_parameter_at_its_default(node):
    content = yaml.safe_load((ROOT / "config" / "whispersign.yaml").read_text())
    assert set(content) == {f"/**/{name}" for name in TABLES}
    shown = content[f"/**/{node}"]["ros__parameters"]
    assert shown == {setting.name: setting.default for setting in TABLES[node]}


@pytest.mark.parametrize("node", TABLES)
def test_the_documentation_has_every_table(node):
    assert table_text(TABLES[node]) in (ROOT / "docs/reference/nodes.md").read_text()


class _Watched(dict):
    """Values of parameters that remember which were read."""

    read: set[str]

    def __getitem__(self, name):
        self.read.add(name)
        return super().__getitem__(name)


@pytest.mark.parametrize(
    ("kind", "arguments", "given"),
    [
        (annotation_node.AnnotationNode, [lambda: None], ("glosses", "out")),
        (command_node.CommandNode, [], ()),
        (replay_node.ReplayNode, [lambda: None], ("bag",)),
        (synthetic_node.SyntheticNode, [lambda: None], ()),
        (smoothing_node.SmoothingNode, [], ("kind",)),
        (preprocessing_node.PreprocessingNode, [], ("model",)),
        (recognition_node.RecognitionNode, [], ("model",)),
        (visualization_node.VisualizationNode, [], ()),
        (robot_node.RobotNode, [], ()),
        (pipeline.Pipeline, [], ()),
    ],
    ids=[name for name in TABLES if name not in SENSORS],
)
def test_every_parameter_is_read(graph, monkeypatch, kind, arguments, given, bag, model, tmp_path):
    values = []

    def watched(node, table, also_known=(), changes=None):
        values.append(_Watched(declare(node, table, also_known, changes or {})))
        values[-1].read = set()
        return values[-1]

    managed = issubclass(kind, managed_node.ManagedNode)
    module = managed_node if managed else sys.modules[kind.__module__]
    monkeypatch.setattr(module, "declare", watched)
    choices = {"bag": str(bag), "model": str(model), "kind": "one_euro"}
    choices |= {"glosses": "HELLO", "out": str(tmp_path)}
    graph.start(kind, *arguments, **{name: choices[name] for name in given})
    if kind is smoothing_node.SmoothingNode:  # its model is read where the filter is not given
        graph.start(kind, model=str(model))
    names = {setting.name for setting in TABLES[kind.__module__.rpartition(".")[2]]}
    assert set().union(*(value.read for value in values)) == names


def test_defaults_survive_json():
    for table in TABLES.values():
        for setting in table:
            assert json.loads(json.dumps(setting.default)) == setting.default
    assert parameters.MODEL.default == "demo"


CHANGING = (
    ParameterSpec("name", "a", "which", choices=("a", "b", "c"), changes=True),
    ParameterSpec("other", 1, "how many", (0, 9), changes=True),
    ParameterSpec("fixed", 1, "how many", (0, 9)),
)


def test_a_parameter_that_changes_is_handed_on_and_others_stay_fixed(graph):
    taken = []

    def take(value):
        if value == "c":
            raise ConfigError("c", "is in use", "take b")
        taken.append(value)

    node = _node(graph)
    values = declare(node, CHANGING, changes={"name": take, "other": taken.append})
    assert taken == []  # declaring is no change
    assert graph.set_parameter(node, "name", "b").successful
    assert (taken, values["name"]) == (["b"], "b")
    assert graph.set_parameter(node, "name", "d").reason == "allowed: 'a' or 'b' or 'c'"
    refused = graph.set_parameter(node, "name", "c")
    assert refused.reason == "c: is in use; take b; allowed: 'a' or 'b' or 'c'"
    assert not graph.set_parameter(node, "other", 10).successful
    assert not graph.set_parameter(node, "fixed", 2).successful
    assert (taken, values["name"]) == (["b"], "b")
    assert node.get_parameter("name").value == "b"
    both = [Parameter("name", value="a"), Parameter("other", value=2)]
    assert node.set_parameters_atomically(both).reason == "set name and other one after the other"
    assert taken == ["b"]


def test_a_handler_that_breaks_answers_too(graph):
    """Without an answer, the client of the service waits forever."""

    def fail(value):
        raise OSError(36, "File name too long", value)

    node = _node(graph)
    values = declare(node, CHANGING, changes={"name": fail})
    answer = graph.set_parameter(node, "name", "b")
    assert not answer.successful
    assert "File name too long" in answer.reason
    assert values["name"] == "a"
