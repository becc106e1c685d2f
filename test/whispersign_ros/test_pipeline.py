"""The whole graph in one process, with each of the sources."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from rclpy.parameter import Parameter

from whispersign_msgs.msg import HandFeatures
from whispersign_ros import camera_node, pipeline


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


def test_a_video_goes_through_the_graph_and_ends_the_process(
    graph, start, one_hand, monkeypatch, tmp_path
):
    monkeypatch.setattr(camera_node, "find_bundle", lambda given: None)
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48))
    for _ in range(30):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    features = graph.listen(HandFeatures, "hands/features")
    nodes, ends = start(source="camera", input=str(path), every_frame=True, device="cpu")
    assert nodes[-1].get_name() == "camera_node"
    graph.until(lambda: ends)
    assert len(features) > 60  # 1.2 s at 60 Hz
    assert features[30].right_tracked
    assert not features[30].left_tracked


def test_a_leap_may_be_the_source(graph, start):
    url = "ws://127.0.0.1:9/v6.json"
    nodes, ends = start(source="leap", transport="websocket", url=url, device="cpu")
    graph.until(lambda: "no Leap service answers" in nodes[-1].diagnostics.refusal)
    assert not ends
