# SPDX-License-Identifier: MIT
"""Nodes must not hide what rclpy keeps in attributes of its own."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node

from whispersign_ros.node.managed_node import ManagedNode
from whispersign_ros.nodes.annotation_node import AnnotationNode
from whispersign_ros.nodes.camera_node import CameraNode
from whispersign_ros.nodes.command_node import CommandNode
from whispersign_ros.nodes.leap_node import LeapNode
from whispersign_ros.nodes.pipeline import Pipeline
from whispersign_ros.nodes.preprocessing_node import PreprocessingNode
from whispersign_ros.nodes.recognition_node import RecognitionNode
from whispersign_ros.nodes.replay_node import ReplayNode
from whispersign_ros.nodes.robot_node import RobotNode
from whispersign_ros.nodes.sensor_base import SensorNode
from whispersign_ros.nodes.smoothing_node import SmoothingNode
from whispersign_ros.nodes.synthetic_node import SyntheticNode
from whispersign_ros.nodes.visualization_node import VisualizationNode

EXTENDED = {"destroy_node", "on_configure", "on_activate", "on_deactivate", "on_cleanup"}
EXTENDED |= {"on_shutdown"}
KINDS = [
    AnnotationNode,
    CameraNode,
    CommandNode,
    LeapNode,
    ManagedNode,
    Pipeline,
    PreprocessingNode,
    RecognitionNode,
    ReplayNode,
]
KINDS += [RobotNode, SensorNode, SmoothingNode, SyntheticNode, VisualizationNode]


@pytest.mark.parametrize("kind", KINDS)
def test_no_attribute_of_rclpy_is_hidden(graph, kind):
    bare = graph.add((LifecycleNode if issubclass(kind, LifecycleNode) else Node)("bare"))
    theirs = set(vars(bare)) | set(dir(bare))
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    stored = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    methods = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert (stored | methods) & theirs <= EXTENDED | {"__init__"}
