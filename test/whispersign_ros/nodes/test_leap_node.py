# SPDX-License-Identifier: MIT
"""``leap_node`` with a service that is not there, then is, then goes."""

from __future__ import annotations

import json
import threading

import pytest
from websockets.sync.server import serve

from whispersign_model.errors import SensorError
from whispersign_msgs.msg import HandFrame
from whispersign_ros.nodes.leap_node import LeapNode


@pytest.fixture
def service():
    """Return a service that sends 5 frames without hands to each client, then closes."""

    def talk(client):
        client.send(json.dumps({"version": 6}))
        for _ in range(3):
            client.recv()
        for number in range(5):
            client.send(json.dumps({"timestamp": 8000 * number + 1, "hands": [], "pointables": []}))

    server = serve(talk, "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v6.json"
    server.shutdown()


def test_frames_without_hands_are_published_and_each_connection_is_a_stream(graph, service):
    frames = graph.listen(HandFrame, "hands/raw")
    node = graph.start(LeapNode, print, transport="websocket", url=service, retry=0.05)
    graph.until(lambda: len(frames) >= 10)
    assert [frame.sequence for frame in frames[:10]] == 2 * list(range(5))
    assert {(f.source, f.left_tracked, f.right_tracked) for f in frames} == {("leap", False, False)}
    graph.until(lambda: "the Leap service has closed" in node.diagnostics.refusal)


def test_an_absent_service_is_told(graph):
    url = "ws://127.0.0.1:9/v6.json"
    node = graph.start(LeapNode, print, transport="auto", url=url, retry=0.05, longest_retry=0.05)
    graph.until(lambda: "no Leap service answers" in node.diagnostics.refusal)
    assert node.diagnostics.received == 0


def test_missing_bindings_are_a_fault_where_they_are_asked_for(graph):
    with pytest.raises(SensorError, match=r"bindings cannot be imported"):
        graph.start(LeapNode, print, transport="leapc")
