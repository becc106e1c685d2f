# SPDX-License-Identifier: MIT
"""``visualization_node`` alone: markers, and no work while nobody looks at them."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from visualization_msgs.msg import Marker, MarkerArray

from whispersign_model.errors import ConfigError
from whispersign_msgs.msg import Gloss, HandFrame
from whispersign_ros.conversions.markers import NAMESPACES
from whispersign_ros.node import qos
from whispersign_ros.nodes.visualization_node import Sentence, VisualizationNode

CONFIG = Path(__file__).parents[3] / "config"
INPUTS = {"/hands/filtered", "/gloss", "/gloss_partial"}


def _heard_topics(graph):
    names = graph.probe.get_subscriber_names_and_types_by_node("visualization_node", "/")
    return {name for name, _ in names}


class Screen:
    """Somebody who looks at the markers."""

    def __init__(self, graph, **parameters):
        self.graph = graph
        self.node = graph.start(VisualizationNode, **parameters)
        self.arrays = []
        self.open()
        graph.until(lambda: self.node.drawing)
        topic = f"hands/{parameters.get('hands', 'filtered')}"
        self.hands = graph.speak(HandFrame, topic, qos.HANDS)

    def open(self):
        self.looking = self.graph.probe.create_subscription(
            MarkerArray, "markers", self.arrays.append, qos.MARKERS
        )

    def close(self):
        self.graph.probe.destroy_subscription(self.looking)
        self.graph.until(lambda: not self.node.drawing)

    def show(self, message):
        """Send frames until one of them has been drawn, and return what is then to be seen."""
        seen = len(self.arrays)
        self.graph.until(lambda: self.hands.publish(message) or len(self.arrays) > seen)
        return self.seen

    @property
    def seen(self):
        there = {}
        for array in self.arrays:
            for marker in array.markers:
                if marker.action == Marker.ADD:
                    there[marker.ns, marker.id] = marker
                else:
                    there.pop((marker.ns, marker.id), None)
        return there

    def texts(self, message):
        seen = self.show(message)
        return {ns: seen[ns, 0].text for ns in ("gloss", "partial") if (ns, 0) in seen}


@pytest.fixture
def both(messages, recording):
    """Return a frame in which both hands are tracked, and one in which none is."""
    sent = messages(recording)
    both = next(m for m in sent if m.left_tracked and m.right_tracked)
    none = next(m for m in sent if not m.left_tracked and not m.right_tracked)
    return both, none


def test_nothing_is_heard_while_nobody_looks(graph, both):
    node = graph.start(VisualizationNode)
    hands = graph.probe.create_publisher(HandFrame, "hands/filtered", qos.HANDS)
    graph.until(lambda: "visualization_node" in graph.probe.get_node_names())
    for _ in range(10):
        hands.publish(both[0])
        graph.executor.spin_once(timeout_sec=0.1)
    assert hands.get_subscription_count() == 0
    assert not _heard_topics(graph) & INPUTS
    assert node.diagnostics.received == 0


def test_it_listens_as_long_as_somebody_looks_and_again(graph, both):
    screen = Screen(graph)
    graph.until(lambda: _heard_topics(graph) >= INPUTS)
    screen.show(both[0])
    screen.close()
    graph.until(lambda: screen.hands.get_subscription_count() == 0)
    graph.until(lambda: not _heard_topics(graph) & INPUTS)
    screen.open()
    graph.until(lambda: screen.node.drawing)
    screen.show(both[0])


def test_hands_are_drawn_and_deleted_when_gone(graph, both):
    screen = Screen(graph)
    seen = screen.show(both[0])
    assert {(ns, 0) for ns in ("left", "right")} <= set(seen)
    assert seen["left", 0].header == both[0].header
    none = both[1]
    graph.until(lambda: not screen.show(none))


def test_raw_hands_are_drawn_on_demand(graph, both):
    screen = Screen(graph, hands="raw")
    assert screen.show(both[0])
    assert "/hands/filtered" not in _heard_topics(graph)


def test_no_more_pictures_than_asked_for(graph, both):
    screen = Screen(graph, publish_rate=5.0)
    arrivals = []
    graph.probe.create_subscription(
        MarkerArray, "markers", lambda _: arrivals.append(screen.node._drawn), qos.MARKERS
    )
    graph.until(lambda: screen.hands.publish(both[0]) or len(arrivals) >= 4)
    assert all(after - before >= 0.17e9 for before, after in pairwise(sorted(set(arrivals))))
    assert screen.node.diagnostics.received > len(arrivals)


def _gloss(gloss, position=0, utterance=0, final=True):
    return Gloss(
        gloss=gloss,
        position=position,
        utterance_id=utterance,
        final=final,
        utterance_length=position + 1,
    )


def test_partial_glosses_become_final_ones_which_go_after_a_while(graph, both):
    screen = Screen(graph, gloss_time=1000.0)
    glosses = graph.speak(Gloss, "gloss", qos.GLOSS)
    partials = graph.speak(Gloss, "gloss_partial", qos.GLOSS_PARTIAL)
    assert screen.texts(both[0]) == {}
    for message in (_gloss("HELLO", final=False), _gloss("HOME", 1, final=False)):
        partials.publish(message)
        graph.until(lambda text=message.gloss: text in screen.node._partial.text)
    graph.until(lambda: screen.texts(both[0]) == {"partial": "HELLO HOME"})
    glosses.publish(_gloss("HELLO"))
    graph.until(lambda: screen.texts(both[0]) == {"gloss": "HELLO"})
    partials.publish(_gloss("HELLO", final=False))  # comes late
    partials.publish(_gloss("YES", utterance=1, final=False))
    graph.until(lambda: screen.texts(both[0]) == {"gloss": "HELLO", "partial": "YES"})
    screen.node._final_arrival -= 1001
    graph.until(lambda: screen.texts(both[0]) == {"partial": "YES"})


def test_everything_goes_when_no_hands_come_any_more(graph, both):
    screen = Screen(graph, hands_timeout=0.2)
    assert screen.show(both[0])
    graph.until(lambda: not screen.seen)
    assert screen.arrays[-1].markers[0].header.frame_id == both[0].header.frame_id


def test_diagnostics_know_that_nobody_looks(graph, both):
    reports = graph.listen(DiagnosticArray, "/diagnostics")
    screen = Screen(graph)
    screen.show(both[0])
    screen.close()
    last = lambda: next(  # noqa: E731
        (s for a in reversed(reports) for s in a.status if s.name == "/visualization_node"), None
    )
    graph.until(lambda: last() and last().message == "no subscribers to markers")
    assert last().level == DiagnosticStatus.OK


def test_a_sentence_is_put_together_by_place():
    sentence = Sentence()
    for message in (_gloss("A"), _gloss("B", 1), _gloss("C", 2), _gloss("X", 1)):
        sentence.take(message)
    assert sentence.text == "A X"
    sentence.take(_gloss("Y", 1, utterance=1))  # the first one was lost
    assert sentence.text == "Y"


def test_a_parameter_at_fault(graph):
    with pytest.raises(ConfigError, match=r"'hands' of visualization_node.*'filtered' or 'raw'"):
        graph.start(VisualizationNode, hands="features")
    with pytest.raises(ConfigError, match=r"'publish_rate'.*float from 1.0 to 240.0"):
        graph.start(VisualizationNode, publish_rate=0.0)


def test_rviz_shows_what_is_published():
    shown = yaml.safe_load((CONFIG / "rviz/whispersign.rviz").read_text())["Visualization Manager"]
    (markers,) = [each for each in shown["Displays"] if each["Class"].endswith("/MarkerArray")]
    assert markers["Topic"]["Value"] == "/markers"
    assert markers["Topic"]["Reliability Policy"] == "Reliable"
    assert set(markers["Namespaces"]) == set(NAMESPACES)
    assert shown["Global Options"]["Fixed Frame"] == "hands"


def test_foxglove_shows_what_is_published():
    layout = json.loads((CONFIG / "foxglove/whispersign.json").read_text())
    panels = layout["configById"]
    assert list(panels["3D!hands"]["topics"]) == ["/markers"]

    def placed(part):
        return [part] if isinstance(part, str) else placed(part["first"]) + placed(part["second"])

    assert sorted(placed(layout["layout"])) == sorted(panels)
