# SPDX-License-Identifier: MIT
"""The whole graph in one process, with each of the sources."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from rclpy.parameter import Parameter

from whispersign_model.features.recipe import Recipe
from whispersign_msgs.msg import HandFeatures
from whispersign_ros.nodes import camera_node, pipeline

from ..conftest import random_model


@pytest.fixture
def start(graph):
    def create(**parameters):
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        ends = []
        nodes = pipeline.create(lambda: ends.append(True), parameter_overrides=overrides)
        for node in nodes:
            graph.add(node)
        return nodes, ends

    return create


@pytest.fixture
def video(one_hand, monkeypatch, tmp_path):
    monkeypatch.setattr(camera_node, "find_bundle", lambda given: None)
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48))
    for _ in range(30):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    return {"source": "camera", "input": str(path), "every_frame": True, "device": "cpu"}


def test_a_video_goes_through_the_graph_and_ends_the_process(graph, start, video):
    features = graph.listen(HandFeatures, "hands/features")
    nodes, ends = start(**video)
    assert nodes[-1].get_name() == "camera_node"
    graph.until(lambda: ends)
    assert len(features) > 60  # 1.2 s at 60 Hz
    assert features[30].right_tracked
    assert not features[30].left_tracked


@pytest.mark.parametrize("coordinates", ["metric_sensor", "image_normalised"])
def test_a_model_of_image_heights_takes_nothing_else(graph, start, video, tmp_path, coordinates):
    model = random_model(tmp_path / "model", Recipe(coordinates="image_normalised"))
    features = graph.listen(HandFeatures, "hands/features")
    nodes, ends = start(**video, model=str(model), coordinates=coordinates)
    preprocessing = next(node for node in nodes if node.get_name() == "preprocessing_node")
    graph.until(lambda: ends)
    if coordinates == "image_normalised":
        assert len(features) > 60
        assert not preprocessing.diagnostics.refusal
    else:
        said = "coordinates are metric_sensor, the recipe's image_normalised; use a recording"
        assert said in preprocessing.diagnostics.refusal
        assert not features


def test_a_leap_may_be_the_source(graph, start):
    url = "ws://127.0.0.1:9/v6.json"
    nodes, ends = start(source="leap", transport="websocket", url=url, device="cpu")
    graph.until(lambda: "no Leap service answers" in nodes[-1].diagnostics.refusal)
    assert not ends


@pytest.mark.parametrize("given", [{}, {"max_age": 0.2}])
def test_a_recording_loses_nothing_unless_max_age_is_given(start, bag, given):
    nodes, _ = start(source="replay", bag=str(bag), device="cpu", **given)
    ages = [node.get_parameter("max_age").value for node in nodes if node.has_parameter("max_age")]
    assert ages == [given.get("max_age", 0.0)] * 3


def test_a_live_source_is_judged_by_its_age(start):
    nodes, _ = start(source="synthetic", device="cpu")
    ages = [node.get_parameter("max_age").value for node in nodes if node.has_parameter("max_age")]
    assert ages == [0.4] * 3
